//! Signing and authenticating: each key for what its type is for, and for nothing else.

use envelope::signature;

use super::*;
use crate::state::KeyUsage;

const TYPES: [KeyType; 4] = [
    KeyType::Aes256Gcm,
    KeyType::HmacSha256,
    KeyType::Ed25519,
    KeyType::EcdsaP256,
];

/// A key of some type beside those of the fixture.
struct Typed {
    id: KeyId,
    key_type: KeyType,
    sealed: Sealed,
    public_key: Vec<u8>,
}

impl Typed {
    fn new(fixture: &Fixture, key_type: KeyType) -> Self {
        let id = KeyId::random();
        let vault = &fixture.vault;
        let made = vault.new_key_version(key_type, id, KeyVersion(1), NAMES[0], 2);
        let made = made.unwrap();
        Self {
            id,
            key_type,
            sealed: Sealed {
                revision: 1,
                record: made.sealed,
            },
            public_key: made.public_key,
        }
    }

    fn used(&self) -> KeyUse<'_> {
        KeyUse {
            name: NAMES[0],
            key_id: self.id,
            key_type: self.key_type,
            version: KeyVersion(1),
            epoch: 0,
            sealed: &self.sealed,
            device: None,
        }
    }
}

/// Uses the key in every way, and answers by which refusal each ended.
fn uses(fixture: &Fixture, key: &KeyUse<'_>) -> Vec<(KeyUsage, Option<VaultError>)> {
    let (vault, none) = (&fixture.vault, context(&[]));
    let may = |action| fixture.may(action, 0);
    let kind = DataKeyKind::Object;
    let data_keys = may(Action::GenerateDataKey);
    vec![
        (
            KeyUsage::EncryptDecrypt,
            vault.encrypt(&may(Action::Encrypt), key, &none, b"x").err(),
        ),
        (
            KeyUsage::EncryptDecrypt,
            vault
                .generate_data_keys(&data_keys, key, kind, &none, 1)
                .err(),
        ),
        (
            KeyUsage::Mac,
            vault
                .generate_mac(&may(Action::GenerateMac), key, b"x")
                .err(),
        ),
        (
            KeyUsage::Mac,
            vault
                .verify_mac(&may(Action::VerifyMac), key, b"x", &[0; 32])
                .err(),
        ),
        (
            KeyUsage::SignVerify,
            vault.sign(&may(Action::Sign), key, b"x").err(),
        ),
        (
            KeyUsage::SignVerify,
            vault
                .verify(&may(Action::Verify), key, b"x", &[0; 64])
                .err(),
        ),
    ]
}

#[test]
fn a_key_does_what_its_type_is_for_and_nothing_else() {
    let fixture = Fixture::new();
    for key_type in TYPES {
        let key = Typed::new(&fixture, key_type);
        let own = key_type.usage();
        for (usage, refused) in uses(&fixture, &key.used()) {
            if usage == own {
                let verifies = matches!(refused, None | Some(VaultError::VerifyFailed));
                assert!(verifies, "{key_type:?} for {usage:?}: {refused:?}");
            } else {
                let expected = Some(VaultError::KeyUsage { usage: own });
                assert_eq!(refused, expected, "{key_type:?} for {usage:?}");
            }
        }
    }
}

/// Nor does it when the state beside it says that it is of another type.
#[test]
fn a_sealed_key_opens_as_its_own_type_alone() {
    let fixture = Fixture::new();
    for key_type in TYPES {
        let key = Typed::new(&fixture, key_type);
        for other in TYPES.into_iter().filter(|other| *other != key_type) {
            let lied = KeyUse {
                key_type: other,
                ..key.used()
            };
            for (_, refused) in uses(&fixture, &lied) {
                let Some(VaultError::Material { source, .. }) = refused else {
                    panic!("{key_type:?} as {other:?}: {refused:?}");
                };
                assert_eq!(source, RecordError::Misplaced);
            }
        }
    }
}

#[tokio::test]
async fn what_is_made_is_verified_here_and_elsewhere_and_nothing_else_is() {
    let fixture = Fixture::new();
    for key_type in [KeyType::Ed25519, KeyType::EcdsaP256] {
        let key = Typed::new(&fixture, key_type);
        let may = fixture.may(Action::Sign, 0);
        let made = fixture.vault.sign(&may, &key.used(), b"message").unwrap();
        let made = made.release(&fixture.durable().await);
        let (may, used) = (fixture.may(Action::Verify, 0), key.used());
        let verify = |message: &[u8], made: &[u8]| fixture.vault.verify(&may, &used, message, made);
        assert_eq!(verify(b"message", &made), Ok(()));
        assert_eq!(verify(b"massage", &made), Err(VaultError::VerifyFailed));
        assert_eq!(
            verify(b"message", &made[1..]),
            Err(VaultError::VerifyFailed)
        );
        let algorithm = key_type.algorithm().unwrap();
        let elsewhere = signature::verify(algorithm, &key.public_key, b"message", &made);
        assert_eq!(elsewhere, Ok(()));
    }
    let key = Typed::new(&fixture, KeyType::HmacSha256);
    assert!(key.public_key.is_empty());
    let may = fixture.may(Action::GenerateMac, 0);
    let made = fixture
        .vault
        .generate_mac(&may, &key.used(), b"message")
        .unwrap();
    let made = made.release(&fixture.durable().await);
    let (may, used) = (fixture.may(Action::VerifyMac, 0), key.used());
    let verify = |message: &[u8], made: &[u8]| fixture.vault.verify_mac(&may, &used, message, made);
    assert_eq!(verify(b"message", &made), Ok(()));
    assert_eq!(verify(b"massage", &made), Err(VaultError::VerifyFailed));
    // The first half of a right code is no code.
    assert_eq!(
        verify(b"message", &made[..16]),
        Err(VaultError::VerifyFailed)
    );
}

#[test]
fn messages_are_bounded_and_proofs_are_for_one_verb() {
    let fixture = Fixture::new();
    let key = Typed::new(&fixture, KeyType::Ed25519);
    let (used, long) = (key.used(), vec![0; MESSAGE_BYTES_MAX + 1]);
    let sign = |action, message: &[u8]| {
        let may = fixture.may(action, 0);
        fixture.vault.sign(&may, &used, message).err()
    };
    assert_eq!(sign(Action::Sign, &long[1..]), None);
    assert_eq!(sign(Action::Sign, &long), Some(VaultError::MessageTooLong));
    for other in [Action::Verify, Action::GenerateMac, Action::Encrypt] {
        assert_eq!(sign(other, b"x"), Some(VaultError::NotAuthorized));
    }
}
