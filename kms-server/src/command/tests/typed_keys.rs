//! Keys of other types than AES-256-GCM: CreateTypedKey, RotateSigningKey.

use super::*;
use crate::command::testing::{create_typed_key, public_key};
use crate::command::{CreateTypedKey, RotateSigningKey};

const TYPES: [KeyType; 4] = [
    KeyType::Aes256Gcm,
    KeyType::HmacSha256,
    KeyType::Ed25519,
    KeyType::EcdsaP256,
];

fn create(key_type: KeyType) -> CreateTypedKey {
    create_typed_key("k", 1, key_type)
}

/// The next version of the key `k`, sealed as one of this type.
fn rotation(key_type: KeyType, expected_revision: u64, version: u32) -> RotateKey {
    let place = Place::key_version(key_type, key_id(1), KeyVersion(version), "k");
    RotateKey {
        key_id: key_id(1),
        expected_revision,
        version,
        sealed: record(&place, 1),
    }
}

fn rotate_signing(key_type: KeyType, public_key: Vec<u8>) -> Command {
    Command::RotateSigningKey(RotateSigningKey {
        rotation: rotation(key_type, 1, 2),
        public_key,
    })
}

#[test]
fn a_key_keeps_its_type_and_its_public_key() {
    for key_type in TYPES {
        let mut state = State::begun();
        let made = state.run(Command::CreateTypedKey(create(key_type)));
        assert_eq!(made, Ok(Outcome::KeyCreated { key_id: key_id(1) }));
        assert_eq!(state.index.key_traits(&key_id(1)).key_type, key_type);
        let expected = public_key(key_type, 1);
        let kept = state.index.public_key(&key_id(1), KeyVersion(1));
        assert_eq!(kept.unwrap_or_default(), expected);
        state.refuse(Command::CreateTypedKey(create(key_type)), Refusal::IdExists);
    }
}

#[test]
fn material_of_another_type_is_never_kept() {
    for own in TYPES {
        for other in TYPES.into_iter().filter(|other| *other != own) {
            let mut state = State::begun();
            let mut unfit = create(own);
            unfit.key.sealed = create(other).key.sealed;
            state.refuse(Command::CreateTypedKey(unfit), Refusal::RecordUnfit);
            state.run(Command::CreateTypedKey(create(own))).unwrap();
            let next = Command::RotateKey(rotation(other, 1, 2));
            state.refuse(next, Refusal::RecordUnfit);
            let next = rotate_signing(other, public_key(own, 2));
            state.refuse(next, Refusal::RecordUnfit);
        }
    }
}

#[test]
fn a_version_that_signs_has_a_public_key_and_no_other_has() {
    for key_type in TYPES {
        let mut state = State::begun();
        let signs = key_type.algorithm().is_some();
        let odd = match signs {
            true => Vec::new(),
            false => b"public key".to_vec(),
        };
        let mut unfit = create(key_type);
        unfit.public_key.clone_from(&odd);
        state.refuse(Command::CreateTypedKey(unfit), Refusal::RecordUnfit);
        let mut large = create(key_type);
        large.public_key = vec![0; 10_000];
        state.refuse(Command::CreateTypedKey(large), Refusal::TooLarge);

        state
            .run(Command::CreateTypedKey(create(key_type)))
            .unwrap();
        state.refuse(rotate_signing(key_type, odd), Refusal::RecordUnfit);
        let plain = Command::RotateKey(rotation(key_type, 1, 2));
        let rotated = match signs {
            true => {
                state.refuse(plain, Refusal::RecordUnfit);
                state.run(rotate_signing(key_type, public_key(key_type, 2)))
            }
            false => state.run(plain),
        };
        let key_id = key_id(1);
        assert_eq!(rotated, Ok(Outcome::KeyRotated { key_id, version: 2 }));
        for version in [1, 2] {
            let kept = state.index.public_key(&key_id, KeyVersion(version));
            assert_eq!(kept.unwrap_or_default(), public_key(key_type, version));
        }
    }
}

#[test]
fn a_device_s_key_is_made_by_enrolment_alone() {
    let mut state = State::begun();
    let command = create_typed_key("device/mine", 1, KeyType::Ed25519);
    state.refuse(Command::CreateTypedKey(command), Refusal::NameInvalid);
}

#[test]
fn a_state_of_the_first_format_has_no_other_types() {
    let mut state = State::empty();
    let first = Genesis {
        format_version: 1,
        ..genesis()
    };
    state.run(Command::Genesis(Box::new(first))).unwrap();
    let newer = Command::CreateTypedKey(create(KeyType::HmacSha256));
    state.refuse(newer, Refusal::FormatNewer);
    let newer = rotate_signing(KeyType::Ed25519, public_key(KeyType::Ed25519, 2));
    state.refuse(newer, Refusal::FormatNewer);
    state.run(create_key("k", 1)).unwrap();
}
