//! Tests of the vault: round trips, and every way in which a call must be refused.

use envelope::blob::{BlobHeader, Purpose};
use envelope::context::{EncryptionContext, reserved};
use envelope::id::{KeyId, KeyVersion};
use envelope::secret::SecretKey;

use super::*;
use crate::audit::{Audit, AuditConfig, AuditRecord, ContextDigest, Durable};
use crate::keyring::{self, RecordError};
use crate::policy::{
    Action, Authorized, DeviceRef, Engine, Facts, Principal, PrincipalKind, Request, Resource,
};
use crate::seal::FileSeal;

/// An unsealed vault with two keys of its own and one of a device.
struct Fixture {
    vault: Vault,
    engine: Engine,
    audit: Audit,
    dir: tempfile::TempDir,
    records: Vec<(KeyId, Vec<Vec<u8>>)>,
}

const NAMES: [&str; 3] = ["billing", "archive", "device/mon-1"];
const DEVICE: usize = 2;

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let seal = FileSeal::create(&dir.path().join("root")).unwrap();
        let new = keyring::create(&[&seal], ClusterId::from_bytes([1; 16]), 1).unwrap();
        let vault = Vault::sealed();
        vault.unseal(new.ring);
        let config = AuditConfig {
            dir: dir.path().join("audit"),
            node: "node-1".to_owned(),
        };
        let records = NAMES
            .map(|_| {
                let id = KeyId::random();
                let version = |number| vault.new_key_version(id, KeyVersion(number), 2).unwrap();
                (id, vec![version(1), version(2)])
            })
            .to_vec();
        let (engine, audit) = (Engine::built_in().unwrap(), Audit::open(&config).unwrap());
        Self {
            vault,
            engine,
            audit,
            dir,
            records,
        }
    }

    fn key(&self, key: usize, version: u32) -> KeyUse<'_> {
        let (key_id, records) = &self.records[key];
        KeyUse {
            name: NAMES[key],
            key_id: *key_id,
            version: KeyVersion(version),
            epoch: 0,
            record: &records[version as usize - 1],
            device: (key == DEVICE).then_some("mon-1"),
        }
    }

    /// The proof that an operator may do `action` with the key.
    fn may(&self, action: Action, key: usize) -> Authorized {
        let principal = Principal {
            kind: PrincipalKind::Operator,
            id: "me".to_owned(),
        };
        let device = (key == DEVICE).then_some(DeviceRef {
            id: "mon-1",
            gateway: None,
        });
        let encryption = EncryptionContext::new();
        self.engine
            .authorize(&Request {
                principal: &principal,
                action,
                resource: Resource::Key {
                    name: NAMES[key],
                    device,
                },
                facts: Facts::Use {
                    encryption: &encryption,
                    count: 1,
                },
            })
            .unwrap()
    }

    fn encrypt(&self, key: usize, version: u32, plaintext: &[u8]) -> Vec<u8> {
        let may = self.may(Action::Encrypt, key);
        self.vault
            .encrypt(&may, &self.key(key, version), &context(&[]), plaintext)
            .unwrap()
    }

    fn data_key(&self, key: usize) -> WrappedDataKey {
        let may = self.may(Action::GenerateDataKeyWithoutPlaintext, key);
        let (key, kind) = (self.key(key, 1), DataKeyKind::Object);
        let context = context(&[("study", "7")]);
        let mut made = self
            .vault
            .generate_wrapped_data_keys(&may, &key, kind, &context, 1)
            .unwrap();
        made.remove(0)
    }

    async fn durable(&self) -> Durable {
        self.audit
            .record(AuditRecord::new(3, "me", "Decrypt", "billing"))
            .await
            .unwrap()
    }
}

fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
    let mut context = EncryptionContext::new();
    for (key, value) in pairs {
        if key.starts_with(reserved::PREFIX) {
            context.insert_reserved(*key, *value).unwrap();
        } else {
            context.insert(*key, *value).unwrap();
        }
    }
    context
}

/// A data key's context with one pair replaced, or taken away.
fn altered(context: &EncryptionContext, key: &str, value: Option<&str>) -> EncryptionContext {
    let pairs: Vec<_> = context.iter().filter(|(name, _)| *name != key).collect();
    let mut altered = self::context(&pairs);
    if let Some(value) = value {
        altered.insert_reserved(key, value).unwrap();
    }
    altered
}

fn refused<T>(result: Result<T, VaultError>) -> VaultError {
    result.err().expect("is refused")
}

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

#[tokio::test]
async fn data_keys_name_themselves_their_use_and_their_device() {
    let fixture = Fixture::new();
    let may = fixture.may(Action::GenerateDataKey, DEVICE);
    let key = fixture.key(DEVICE, 1);
    let made = fixture
        .vault
        .generate_data_keys(
            &may,
            &key,
            DataKeyKind::Object,
            &context(&[("study", "7")]),
            50,
        )
        .unwrap()
        .release(&fixture.durable().await);
    assert_eq!(made.len(), 50);
    let ids: std::collections::HashSet<_> = made.iter().map(|made| made.id).collect();
    assert_eq!(ids.len(), 50);

    let may = fixture.may(Action::UnwrapDataKey, DEVICE);
    for data_key in made {
        let context = &data_key.context;
        assert_eq!(
            context.get(reserved::DATA_KEY),
            Some(data_key.id.to_string().as_str())
        );
        assert_eq!(context.get(reserved::KIND), Some("object"));
        assert_eq!(context.get(reserved::DEVICE), Some("mon-1"));
        assert_eq!((context.get("study"), context.len()), (Some("7"), 4));
        let header = BlobHeader::parse(&data_key.wrapped).unwrap();
        assert_eq!(header.purpose, Purpose::WrappedDataKey);

        let opened = fixture
            .vault
            .unwrap_data_key(&may, &key, context, &data_key.wrapped);
        let opened = opened.unwrap().release(&fixture.durable().await);
        assert_eq!(opened.id, data_key.id);
        assert_eq!(opened.plaintext.expose(), data_key.plaintext.expose());
    }
}

#[test]
fn a_wrapped_data_key_opens_only_as_what_it_is() {
    let fixture = Fixture::new();
    let made = fixture.data_key(DEVICE);
    let key = fixture.key(DEVICE, 1);
    let may = fixture.may(Action::UnwrapDataKey, DEVICE);
    let check = |key: &KeyUse<'_>, context: &EncryptionContext, blob: &[u8]| {
        let result = fixture.vault.unwrap_data_key(&may, key, context, blob);
        assert_eq!(refused(result), VaultError::OpenFailed);
    };
    let other_id = "0".repeat(32);
    for (pair, value) in [
        (reserved::DATA_KEY, None),
        (reserved::DATA_KEY, Some(other_id.as_str())),
        (reserved::DATA_KEY, Some("no id")),
        (reserved::KIND, None),
        (reserved::KIND, Some("stream")),
        (reserved::KIND, Some("")),
        (reserved::DEVICE, None),
        (reserved::DEVICE, Some("mon-2")),
    ] {
        check(&key, &altered(&made.context, pair, value), &made.wrapped);
    }
    let of_no_device = KeyUse {
        device: None,
        ..key
    };
    check(&of_no_device, &made.context, &made.wrapped);

    // Each purpose has its own verb.
    let may_decrypt = fixture.may(Action::Decrypt, DEVICE);
    let result = fixture
        .vault
        .decrypt(&may_decrypt, &key, &made.context, &made.wrapped);
    assert_eq!(refused(result), VaultError::OpenFailed);
    let data = fixture.encrypt(DEVICE, 1, SecretKey::generate().expose());
    check(&key, &made.context, &data);
}

#[test]
fn bad_counts_and_contexts_are_refused_before_anything_is_made() {
    let fixture = Fixture::new();
    let may = fixture.may(Action::GenerateDataKeyWithoutPlaintext, 0);
    let key = fixture.key(0, 1);
    let make = |context: &EncryptionContext, count| {
        let kind = DataKeyKind::Object;
        fixture
            .vault
            .generate_wrapped_data_keys(&may, &key, kind, context, count)
    };
    for asked in [0, DATA_KEYS_MAX + 1, u32::MAX] {
        assert_eq!(
            refused(make(&context(&[]), asked)),
            VaultError::Count { asked }
        );
    }
    assert_eq!(make(&context(&[]), DATA_KEYS_MAX).unwrap().len(), 1_000);
    let claims_device = context(&[(reserved::DEVICE, "mon-1")]);
    assert_eq!(
        refused(make(&claims_device, 1)),
        VaultError::ReservedContext
    );

    let may = fixture.may(Action::Encrypt, 0);
    let encrypt = |context: &EncryptionContext, plaintext: &[u8]| {
        fixture.vault.encrypt(&may, &key, context, plaintext)
    };
    assert_eq!(
        refused(encrypt(&claims_device, b"")),
        VaultError::ReservedContext
    );
    assert!(matches!(
        refused(encrypt(&context(&[]), &[0; 4_097])),
        VaultError::Format(_)
    ));
    encrypt(&context(&[]), &[0; 4_096]).unwrap();
    assert_eq!(DataKeyKind::parse("disk"), Err(VaultError::Kind));
    assert_eq!(DataKeyKind::parse(""), Ok(DataKeyKind::Object));
}

/// Re-encrypts from version 1 of one key to version 2 of another.
fn re_encrypt(
    fixture: &Fixture,
    (from, source, blob): (usize, &EncryptionContext, &[u8]),
    (to, destination): (usize, &EncryptionContext),
) -> Result<Vec<u8>, VaultError> {
    let may_from = fixture.may(Action::ReEncryptFrom, from);
    let may_to = fixture.may(Action::ReEncryptTo, to);
    let key = fixture.key(from, 1);
    let source = Source {
        authorized: &may_from,
        key,
        context: source,
        blob,
    };
    let key = fixture.key(to, 2);
    let destination = Destination {
        authorized: &may_to,
        key,
        context: destination,
    };
    fixture.vault.re_encrypt(&source, &destination)
}

#[tokio::test]
async fn data_moves_to_another_key_and_context() {
    let fixture = Fixture::new();
    let blob = fixture.encrypt(0, 1, b"value");
    let there = context(&[("moved", "yes")]);
    let moved = re_encrypt(&fixture, (0, &context(&[]), &blob), (1, &there)).unwrap();
    let header = BlobHeader::parse(&moved).unwrap();
    assert_eq!(
        (header.key_id, header.key_version),
        (fixture.records[1].0, KeyVersion(2))
    );
    let may = fixture.may(Action::Decrypt, 1);
    let opened = fixture
        .vault
        .decrypt(&may, &fixture.key(1, 2), &there, &moved)
        .unwrap();
    assert_eq!(opened.release(&fixture.durable().await).expose(), b"value");

    let result = re_encrypt(&fixture, (0, &there, &blob), (1, &there));
    assert_eq!(refused(result), VaultError::OpenFailed);
    let claims = context(&[(reserved::DEVICE, "mon-1")]);
    let result = re_encrypt(&fixture, (0, &context(&[]), &blob), (1, &claims));
    assert_eq!(refused(result), VaultError::ReservedContext);
}

#[tokio::test]
async fn a_wrapped_data_key_moves_with_its_pairs_or_not_at_all() {
    let fixture = Fixture::new();
    let made = fixture.data_key(DEVICE);
    let here = (DEVICE, &made.context, made.wrapped.as_slice());
    let mut more = made.context.clone();
    more.insert("archive", "2").unwrap();
    let moved = re_encrypt(&fixture, here, (DEVICE, &more)).unwrap();
    let may = fixture.may(Action::UnwrapDataKey, DEVICE);
    let opened = fixture
        .vault
        .unwrap_data_key(&may, &fixture.key(DEVICE, 2), &more, &moved);
    assert_eq!(
        opened.unwrap().release(&fixture.durable().await).id,
        made.id
    );

    let result = re_encrypt(&fixture, here, (0, &made.context));
    assert_eq!(
        refused(result),
        VaultError::ContextMoved,
        "to a key of no device"
    );
    for (pair, value) in [
        (reserved::DEVICE, None),
        (reserved::DEVICE, Some("mon-2")),
        (reserved::KIND, Some("stream")),
        (reserved::DATA_KEY, None),
        (reserved::FLOW, Some("new")),
    ] {
        let result = re_encrypt(
            &fixture,
            here,
            (DEVICE, &altered(&made.context, pair, value)),
        );
        assert_eq!(
            refused(result),
            VaultError::ContextMoved,
            "{pair} {value:?}"
        );
    }
}

#[test]
fn re_encrypting_needs_both_proofs() {
    let fixture = Fixture::new();
    let blob = fixture.encrypt(0, 1, b"value");
    let none = context(&[]);
    let from = fixture.may(Action::ReEncryptFrom, 0);
    let to = fixture.may(Action::ReEncryptTo, 1);
    for (from, to) in [(&from, &from), (&to, &to), (&to, &from)] {
        let source = Source {
            authorized: from,
            key: fixture.key(0, 1),
            context: &none,
            blob: &blob,
        };
        let destination = Destination {
            authorized: to,
            key: fixture.key(1, 1),
            context: &none,
        };
        let result = fixture.vault.re_encrypt(&source, &destination);
        assert_eq!(refused(result), VaultError::NotAuthorized);
    }
}

#[test]
fn a_sealed_vault_does_nothing_also_with_what_it_had_unwrapped() {
    let fixture = Fixture::new();
    let blob = fixture.encrypt(0, 1, b"value");
    assert!(!fixture.vault.is_sealed());
    fixture.vault.seal();
    assert!(fixture.vault.is_sealed());
    assert_eq!(fixture.vault.cluster(), None);
    let may = fixture.may(Action::Decrypt, 0);
    let result = fixture
        .vault
        .decrypt(&may, &fixture.key(0, 1), &context(&[]), &blob);
    assert_eq!(refused(result), VaultError::Sealed);
    let result = fixture
        .vault
        .new_key_version(KeyId::random(), KeyVersion(1), 0);
    assert_eq!(refused(result), VaultError::Sealed);
    let result = fixture.vault.open_record(&Place::ca_key(), b"");
    assert_eq!(refused(result), VaultError::Sealed);
}

#[test]
fn a_new_epoch_makes_unwrapped_material_unreachable_at_once() {
    let fixture = Fixture::new();
    let blob = fixture.encrypt(0, 1, b"value");
    let may = fixture.may(Action::Decrypt, 0);
    let none = context(&[]);
    // With the material cached, the record is not read; with another epoch it must be.
    let unreadable = |epoch| KeyUse {
        record: b"gone",
        epoch,
        ..fixture.key(0, 1)
    };
    assert!(
        fixture
            .vault
            .decrypt(&may, &unreadable(0), &none, &blob)
            .is_ok()
    );
    let error = refused(fixture.vault.decrypt(&may, &unreadable(1), &none, &blob));
    assert!(
        matches!(error, VaultError::Material { version: 1, .. }),
        "{error}"
    );
}

#[test]
fn a_record_of_another_key_or_version_is_no_material() {
    let fixture = Fixture::new();
    let may = fixture.may(Action::Encrypt, 0);
    for record in [&fixture.records[0].1[1], &fixture.records[1].1[0]] {
        let key = KeyUse {
            record,
            ..fixture.key(0, 1)
        };
        let error = refused(fixture.vault.encrypt(&may, &key, &context(&[]), b""));
        let VaultError::Material { source, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(source, RecordError::Misplaced);
    }
}

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
    let errors = [
        refused(fixture.vault.decrypt(&may, &key, &context(&[]), &blob)),
        refused(fixture.vault.decrypt(&may, &key, &secret_context, CANARY)),
        refused(fixture.vault.encrypt(&may, &key, &secret_context, CANARY)),
        refused(fixture.vault.decrypt(
            &may,
            &KeyUse {
                record: CANARY,
                epoch: 9,
                ..key
            },
            &secret_context,
            &blob,
        )),
        refused(fixture.vault.open_record(&Place::ca_key(), CANARY)),
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
