//! Frozen vectors of the ciphertext blob.

use serde_json::{Value, json};

use super::{
    bytes, context_in, context_json, context_of, counted, frozen, key, key_in, number, plaintext,
    text,
};
use crate::{
    blob::{self, BlobHeader, Purpose},
    id::{KeyId, KeyVersion},
};

#[test]
fn blobs_are_frozen() {
    for vector in frozen("blob.json", "ciphertext blob", make()) {
        let sealed = bytes(&vector, "blob");
        let secret = key_in(&vector, "key_version_secret");
        let context = context_in(&vector);
        let header = BlobHeader::parse(&sealed).unwrap();
        assert_eq!(header.key_id.to_string(), text(&vector, "key_id"));
        assert_eq!(
            u64::from(header.key_version.0),
            number(&vector, "key_version")
        );
        assert_eq!(header.purpose as u64, number(&vector, "purpose"));
        let opened = blob::open(&secret, header.purpose, &context, &sealed).unwrap();
        assert_eq!(opened.expose(), bytes(&vector, "plaintext"));
        let salt = bytes(&vector, "salt").try_into().unwrap();
        let again =
            blob::seal_with_salt(&secret, &header, salt, &context, opened.expose()).unwrap();
        assert_eq!(again, sealed);
    }
}

fn make() -> Vec<Value> {
    let wrap = context_of(&[
        ("ward:dk", "303132333435363738393a3b3c3d3e3f"),
        ("ward:kind", "data-key"),
        ("ward:device", "mon-1"),
    ]);
    [
        (
            "a wrapped data key",
            Purpose::WrappedDataKey,
            wrap,
            plaintext(32),
        ),
        (
            "no plaintext, no context",
            Purpose::Data,
            context_of(&[]),
            plaintext(0),
        ),
        (
            "the longest plaintext",
            Purpose::Data,
            context_of(&[("a", "b")]),
            plaintext(4096),
        ),
    ]
    .map(|(comment, purpose, context, plaintext)| {
        let secret = key(0x01);
        let salt = counted(0x80);
        let header = BlobHeader {
            purpose,
            key_id: KeyId::from_bytes(counted(0x10)),
            key_version: KeyVersion(7),
        };
        let sealed = blob::seal_with_salt(&secret, &header, salt, &context, &plaintext).unwrap();
        json!({
            "comment": comment,
            "key_version_secret": hex::encode(secret.expose()),
            "key_id": header.key_id.to_string(),
            "key_version": header.key_version.0,
            "purpose": purpose as u8,
            "context": context_json(&context),
            "salt": hex::encode(salt),
            "plaintext": hex::encode(plaintext),
            "blob": hex::encode(sealed),
        })
    })
    .to_vec()
}
