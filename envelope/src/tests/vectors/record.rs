//! Frozen vectors of the sealed record.

use serde_json::{Value, json};

use super::{bytes, counted, frozen, key, key_in, number, plaintext, text};
use crate::{
    id::{ClusterId, KeyId, KeyVersion},
    record::{self, KeyType, RecordHeader, RecordPurpose},
};

#[test]
fn records_are_frozen() {
    for vector in frozen("record.json", "sealed record", make()) {
        let sealed = bytes(&vector, "record");
        let term_key = key_in(&vector, "term_key");
        let (header, opened) = record::open(&term_key, &sealed).unwrap();
        assert_eq!(opened.expose(), bytes(&vector, "plaintext"));
        assert_eq!(RecordHeader::parse(&sealed).unwrap(), header);
        let salt = bytes(&vector, "salt").try_into().unwrap();
        assert_eq!(header_json(&header), vector["header"]);
        assert_eq!(number(&vector["header"], "revision"), header.revision);
        assert_eq!(text(&vector["header"], "tree"), header.tree);
        let again = record::seal_with_salt(&term_key, &header, salt, opened.expose()).unwrap();
        assert_eq!(again, sealed);
    }
}

fn make() -> Vec<Value> {
    let secret = RecordHeader {
        purpose: RecordPurpose::KeyVersion,
        key_type: KeyType::Aes256Gcm,
        cluster_id: ClusterId::from_bytes(counted(0x40)),
        key_id: KeyId::from_bytes(counted(0x10)),
        key_version: KeyVersion(7),
        term: 3,
        erase_epoch: 0,
        revision: 12,
        created_ms: 1_795_478_400_000,
        tree: "key-versions".to_owned(),
        record_id: "101112131415161718191a1b1c1d1e1f/7".to_owned(),
        attributes: b"enabled".to_vec(),
    };
    let smallest = RecordHeader {
        purpose: RecordPurpose::RootWrap,
        key_type: KeyType::NotAKey,
        key_id: KeyId::from_bytes([0; 16]),
        key_version: KeyVersion(0),
        tree: String::new(),
        record_id: String::new(),
        attributes: Vec::new(),
        ..secret.clone()
    };
    [
        ("a key version", secret, 32),
        ("nothing but the fixed fields", smallest, 0),
    ]
    .map(|(comment, header, plaintext_bytes)| {
        let (term_key, salt) = (key(0x51), counted(0x90));
        let plaintext = plaintext(plaintext_bytes);
        let sealed = record::seal_with_salt(&term_key, &header, salt, &plaintext).unwrap();
        json!({
            "comment": comment,
            "term_key": hex::encode(term_key.expose()),
            "header": header_json(&header),
            "salt": hex::encode(salt),
            "plaintext": hex::encode(plaintext),
            "record": hex::encode(sealed),
        })
    })
    .to_vec()
}

fn header_json(header: &RecordHeader) -> Value {
    json!({
        "purpose": header.purpose as u8,
        "key_type": header.key_type as u8,
        "cluster_id": header.cluster_id.to_string(),
        "key_id": header.key_id.to_string(),
        "key_version": header.key_version.0,
        "term": header.term,
        "erase_epoch": header.erase_epoch,
        "revision": header.revision,
        "created_ms": header.created_ms,
        "tree": header.tree,
        "record_id": header.record_id,
        "attributes": hex::encode(&header.attributes),
    })
}
