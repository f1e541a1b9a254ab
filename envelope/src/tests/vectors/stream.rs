//! Frozen vectors of the stand-alone stream: from the key version's secret to the plaintext.

use serde_json::{Value, json};

use super::{
    bytes, context_in, context_json, context_of, counted, frozen, key, key_in, object, plaintext,
    prologue, text,
};
use crate::{
    blob::{self, BlobHeader, Purpose},
    id::{KeyId, KeyVersion},
    object::{Opener, Prologue, SALT_AND_COMMITMENT_BYTES},
    secret::{SecretKey, SecretVec},
    stream::StreamHeader,
};

#[test]
fn streams_are_frozen() {
    for vector in frozen("stream.json", "stand-alone stream", make()) {
        let sealed = bytes(&vector, "stream");
        let (header, used) = StreamHeader::parse(&sealed).unwrap().unwrap();
        assert_eq!(header.write().unwrap(), &sealed[..used]);

        let secret = key_in(&vector, "key_version_secret");
        let wrap_context = context_in(&vector);
        let data_key = blob::open(
            &secret,
            Purpose::WrappedDataKey,
            &wrap_context,
            &header.wrapped,
        )
        .unwrap();
        let data_key = SecretKey::from_slice(data_key.expose()).unwrap();

        let object = &sealed[used..];
        let (prologue, used) = Prologue::parse(object).unwrap().unwrap();
        prologue.check_belongs_to(&wrap_context).unwrap();
        let (salt_and_commitment, body) = object[used..]
            .split_first_chunk::<SALT_AND_COMMITMENT_BYTES>()
            .unwrap();
        let mut opener = Opener::new(&data_key, &object[..used], salt_and_commitment).unwrap();
        let mut opened = SecretVec::new();
        opener.update(body, &mut opened).unwrap();
        opener.finish(&mut opened).unwrap();
        assert_eq!(hex::encode(opened.expose()), text(&vector, "plaintext"));
    }
}

fn make() -> Vec<Value> {
    let (secret, data_key, prologue) = (key(0x01), key(0x61), prologue());
    let id = prologue.data_key_id.to_string();
    let wrap_context = context_of(&[
        ("ward:dk", &id),
        ("ward:device", "mon-1"),
        ("ward", "3 West"),
    ]);
    let header = BlobHeader {
        purpose: Purpose::WrappedDataKey,
        key_id: KeyId::from_bytes(counted(0x10)),
        key_version: KeyVersion(7),
    };
    let data_key_bytes = data_key.expose();
    let wrapped = blob::seal_with_salt(
        &secret,
        &header,
        counted(0x80),
        &wrap_context,
        data_key_bytes,
    );
    let mut stream = StreamHeader {
        wrapped: wrapped.unwrap(),
    }
    .write()
    .unwrap();
    let message = plaintext(300);
    stream.extend_from_slice(&object::seal(&data_key, counted(0xA0), &prologue, &message));
    vec![json!({
        "comment": "the context is the data key's wrap context",
        "key_version_secret": hex::encode(secret.expose()),
        "context": context_json(&wrap_context),
        "plaintext": hex::encode(message),
        "stream": hex::encode(stream),
    })]
}
