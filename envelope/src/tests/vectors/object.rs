//! Frozen vectors of the object. Short ones hold all sealed bytes; every one holds their SHA-256.

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

use super::{bytes, counted, frozen, key, key_in, number, plaintext, prologue, text};
use crate::{
    object::{Opener, Prologue, SALT_AND_COMMITMENT_BYTES, Sealer},
    secret::{SecretKey, SecretVec},
};

/// Sealed bytes of longer objects are made again rather than kept.
const KEPT_PLAINTEXT_BYTES_MAX: usize = 16 * 1024;

#[test]
fn objects_are_frozen() {
    for vector in frozen("object.json", "object", make()) {
        let data_key = key_in(&vector, "data_key");
        let message = plaintext(number(&vector, "plaintext_bytes") as usize);
        let sealed = if vector["object"].is_null() {
            let salt = bytes(&vector, "salt").try_into().unwrap();
            let (prologue, _) = Prologue::parse(&bytes(&vector, "prologue"))
                .unwrap()
                .unwrap();
            seal(&data_key, salt, &prologue, &message)
        } else {
            bytes(&vector, "object")
        };
        assert_eq!(
            hex::encode(digest(&SHA256, &sealed)),
            text(&vector, "object_sha256")
        );
        check_opening(&data_key, &sealed, &message);
    }
}

fn check_opening(data_key: &SecretKey, sealed: &[u8], message: &[u8]) {
    let (prologue, used) = Prologue::parse(sealed).unwrap().unwrap();
    assert_eq!(prologue.encode(), &sealed[..used]);
    let (salt_and_commitment, body) = sealed[used..]
        .split_first_chunk::<SALT_AND_COMMITMENT_BYTES>()
        .unwrap();
    let mut opener = Opener::new(data_key, &sealed[..used], salt_and_commitment).unwrap();
    let mut opened = SecretVec::new();
    opener.update(body, &mut opened).unwrap();
    assert_eq!(opener.finish(&mut opened), Ok(message.len() as u64));
    assert!(opened.expose() == message);
}

fn make() -> Vec<Value> {
    [0, 1, 16_383, 16_384, 16_385, 32_768, 4_194_305]
        .map(|plaintext_bytes| {
            let (data_key, salt, prologue) = (key(0x61), counted(0xA0), prologue());
            let sealed = seal(&data_key, salt, &prologue, &plaintext(plaintext_bytes));
            let kept = plaintext_bytes <= KEPT_PLAINTEXT_BYTES_MAX;
            json!({
                "comment": "plaintext byte n is n mod 251",
                "data_key": hex::encode(data_key.expose()),
                "salt": hex::encode(salt),
                "prologue": hex::encode(prologue.encode()),
                "plaintext_bytes": plaintext_bytes,
                "object_sha256": hex::encode(digest(&SHA256, &sealed)),
                "object": kept.then(|| hex::encode(&sealed)),
            })
        })
        .to_vec()
}

/// Seals in one piece, under a salt of the vector's.
pub(super) fn seal(
    data_key: &SecretKey,
    salt: [u8; 24],
    prologue: &Prologue,
    message: &[u8],
) -> Vec<u8> {
    let mut sealer = Sealer::with_salt(data_key, salt, prologue);
    let mut sealed = sealer.header().to_vec();
    sealer.update(message, &mut sealed).unwrap();
    sealer.finish(&mut sealed).unwrap();
    sealed
}
