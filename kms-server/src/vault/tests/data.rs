//! Encrypt and Decrypt, and the proofs that every verb demands.

use super::*;

#[tokio::test]
async fn what_is_encrypted_is_decrypted_by_the_same_version_and_context_only() {
    let fixture = Fixture::new();
    let may = fixture.may(Action::Encrypt, 0);
    let bed = context(&[("bed", "12")]);
    let key = fixture.key(0, 1);
    let blob = fixture.vault.encrypt(&may, &key, &bed, b"value").unwrap();

    let may = fixture.may(Action::Decrypt, 0);
    let decrypt = |key: &KeyUse<'_>, context: &EncryptionContext, blob: &[u8]| {
        fixture.vault.decrypt(&may, key, context, blob)
    };
    let secret = decrypt(&key, &bed, &blob)
        .unwrap()
        .release(&fixture.durable().await);
    assert_eq!(secret.expose(), b"value");

    let open_failed = |result| assert_eq!(refused(result), VaultError::OpenFailed);
    open_failed(decrypt(&fixture.key(0, 2), &bed, &blob));
    open_failed(decrypt(&key, &context(&[("bed", "13")]), &blob));
    open_failed(decrypt(&key, &context(&[]), &blob));
    open_failed(decrypt(&key, &context(&[("bed", "12"), ("x", "y")]), &blob));
    for place in 0..blob.len() {
        let mut changed = blob.clone();
        changed[place] ^= 1;
        open_failed(decrypt(&key, &bed, &changed));
    }
    open_failed(decrypt(&key, &bed, b""));
}

#[test]
fn a_proof_for_another_action_or_key_is_worth_nothing() {
    let fixture = Fixture::new();
    let none = context(&[]);
    let key = fixture.key(0, 1);
    let blob = fixture.encrypt(0, 1, b"x");
    for (action, of) in [
        (Action::Encrypt, 0),
        (Action::UnwrapDataKey, 0),
        (Action::Decrypt, 1),
    ] {
        let wrong = fixture.may(action, of);
        let result = fixture.vault.decrypt(&wrong, &key, &none, &blob);
        assert_eq!(refused(result), VaultError::NotAuthorized);
    }
    let wrong = fixture.may(Action::Decrypt, 0);
    let vault = &fixture.vault;
    let kind = DataKeyKind::Object;
    assert_eq!(
        refused(vault.encrypt(&wrong, &key, &none, b"")),
        VaultError::NotAuthorized
    );
    let result = vault.generate_data_keys(&wrong, &key, kind, &none, 1);
    assert_eq!(refused(result), VaultError::NotAuthorized);
    let result = vault.generate_wrapped_data_keys(&wrong, &key, kind, &none, 1);
    assert_eq!(refused(result), VaultError::NotAuthorized);
    let result = vault.unwrap_data_key(&wrong, &key, &none, &blob);
    assert_eq!(refused(result), VaultError::NotAuthorized);
}
