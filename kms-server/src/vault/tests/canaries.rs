//! Planted secrets, searched for where they must not be.

use super::*;

/// Plants secrets in every place a call has, then searches where they must not be.
#[tokio::test]
async fn no_secret_reaches_the_audit_file_an_error_or_a_debug_text() {
    const CANARY: &[u8] = b"canary-plaintext-Mustermann";
    let fixture = Fixture::new();
    let secret_context = context(&[("patient", "canary-context-Mustermann")]);
    let (may, key) = (fixture.may(Action::Encrypt, 0), fixture.key(0, 1));
    let blob = fixture
        .vault
        .encrypt(&may, &key, &secret_context, CANARY)
        .unwrap();

    let mut texts = vec![format!("{may:?}")];
    let may = fixture.may(Action::Decrypt, 0);
    let no_record = Sealed {
        revision: 1,
        record: CANARY.to_vec(),
    };
    let errors = [
        refused(fixture.vault.decrypt(&may, &key, &context(&[]), &blob)),
        refused(fixture.vault.decrypt(&may, &key, &secret_context, CANARY)),
        refused(fixture.vault.encrypt(&may, &key, &secret_context, CANARY)),
        refused(fixture.vault.decrypt(
            &may,
            &KeyUse {
                sealed: &no_record,
                epoch: 9,
                ..key
            },
            &secret_context,
            &blob,
        )),
        refused(fixture.vault.open_record(&Place::ca_key(), &no_record)),
    ];
    texts.extend(errors.iter().map(|error| format!("{error} {error:?}")));

    let mut record = AuditRecord::new(4, "me", "Decrypt", "billing");
    record.context = Some(ContextDigest::of(&secret_context));
    texts.push(format!("{record:?}"));
    let durable = fixture.audit.record(record).await.unwrap();
    texts.push(format!("{durable:?}"));
    let opened = fixture
        .vault
        .decrypt(&may, &key, &secret_context, &blob)
        .unwrap();
    let opened = opened.release(&durable);
    for file in std::fs::read_dir(fixture.dir.path().join("audit")).unwrap() {
        texts.push(std::fs::read_to_string(file.unwrap().path()).unwrap());
    }

    let hay = texts.join("\n");
    // Positive controls: the plaintext was there to leak, and the search finds what is there.
    assert_eq!(opened.expose(), CANARY);
    assert!(hay.contains("billing"));
    for needle in [
        "canary",
        "Mustermann",
        &hex::encode(CANARY)[..20],
        "99, 97, 110, 97, 114, 121",
    ] {
        assert!(!hay.contains(needle), "{needle} leaked into: {hay}");
    }
}

/// Compiles only while none of these types can be printed or copied: with an implementation of
/// `Debug` or `Clone`, the compiler could not choose between the two traits' functions.
#[test]
fn secrets_can_neither_be_printed_nor_cloned() {
    trait Either<Why> {
        fn compiles() {}
    }
    impl<T> Either<()> for T {}
    impl<T: std::fmt::Debug> Either<u8> for T {}
    impl<T: Clone> Either<u16> for T {}
    <SecretKey as Either<_>>::compiles();
    <SecretBytes as Either<_>>::compiles();
    <crate::seal::RootKey as Either<_>>::compiles();
    <KeyRing as Either<_>>::compiles();
    <Vault as Either<_>>::compiles();
    <DataKey as Either<_>>::compiles();
    <UnwrappedDataKey as Either<_>>::compiles();
    <Withheld<SecretBytes> as Either<_>>::compiles();
    <crate::ca::Authority as Either<_>>::compiles();
}
