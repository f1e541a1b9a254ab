//! Blobs and records: each comes back whole, and every change is refused with the one error.

use envelope::{
    FormatError, OpenFailed,
    blob::{self, BlobHeader, Purpose},
    context::EncryptionContext,
    id::{ClusterId, KeyId, KeyVersion},
    limits::{RECORD_ATTRIBUTES_BYTES_MAX, RECORD_NAME_BYTES_MAX, RECORD_PLAINTEXT_BYTES_MAX},
    record::{self, KeyType, RecordHeader, RecordPurpose},
    secret::SecretKey,
};
use proptest::prelude::*;

use crate::for_each_flipped_bit;

fn context() -> EncryptionContext {
    let mut context = EncryptionContext::new();
    context.insert("ward", "3 West").unwrap();
    context
}

fn record_header() -> RecordHeader {
    RecordHeader {
        purpose: RecordPurpose::KeyVersion,
        key_type: KeyType::Aes256Gcm,
        cluster_id: ClusterId::random(),
        key_id: KeyId::random(),
        key_version: KeyVersion(2),
        term: 1,
        erase_epoch: 0,
        revision: 5,
        created_ms: 1_795_478_400_000,
        tree: "key-versions".to_owned(),
        record_id: "a/2".to_owned(),
        attributes: b"enabled".to_vec(),
    }
}

fn seal_blob(secret: &SecretKey, plaintext: &[u8]) -> Result<Vec<u8>, FormatError> {
    blob::seal(
        secret,
        KeyId::random(),
        KeyVersion(2),
        Purpose::Data,
        &context(),
        plaintext,
    )
}

#[test]
fn a_blob_refuses_every_flipped_bit_every_truncation_and_extension() {
    let secret = SecretKey::generate();
    let sealed = seal_blob(&secret, b"a small secret").unwrap();
    let refused = |changed: &[u8]| {
        let opened = blob::open(&secret, Purpose::Data, &context(), changed);
        assert_eq!(opened.err(), Some(OpenFailed));
    };
    for_each_flipped_bit(&sealed, 0..sealed.len(), refused);
    (0..sealed.len()).for_each(|len| refused(&sealed[..len]));
    refused(&[sealed.as_slice(), &[0]].concat());
    assert!(blob::open(&secret, Purpose::Data, &context(), &sealed).is_ok());
}

#[test]
fn a_blob_refuses_another_context_purpose_and_key() {
    let secret = SecretKey::generate();
    let sealed = seal_blob(&secret, b"a small secret").unwrap();
    let mut more = context();
    more.insert("purpose", "backup").unwrap();
    let mut changed = EncryptionContext::new();
    changed.insert("ward", "3 East").unwrap();
    for wrong in [EncryptionContext::new(), more, changed] {
        let opened = blob::open(&secret, Purpose::Data, &wrong, &sealed);
        assert_eq!(opened.err(), Some(OpenFailed));
    }
    let opened = blob::open(&secret, Purpose::WrappedDataKey, &context(), &sealed);
    assert_eq!(opened.err(), Some(OpenFailed));
    let opened = blob::open(&SecretKey::generate(), Purpose::Data, &context(), &sealed);
    assert_eq!(opened.err(), Some(OpenFailed));
}

#[test]
fn a_blob_holds_4096_bytes_and_not_one_more() {
    let secret = SecretKey::generate();
    let sealed = seal_blob(&secret, &[7; 4096]).unwrap();
    assert_eq!(sealed.len(), 56 + 32 + 4096 + 16);
    let opened = blob::open(&secret, Purpose::Data, &context(), &sealed).unwrap();
    assert_eq!(opened.expose(), [7; 4096]);
    let refused = seal_blob(&secret, &[7; 4097]);
    assert!(matches!(
        refused,
        Err(FormatError::TooLong { max: 4096, .. })
    ));
}

#[test]
fn a_record_refuses_every_flipped_bit_every_truncation_and_extension() {
    let term_key = SecretKey::generate();
    let sealed = record::seal(&term_key, &record_header(), b"a key version's secret").unwrap();
    let refused =
        |changed: &[u8]| assert_eq!(record::open(&term_key, changed).err(), Some(OpenFailed));
    for_each_flipped_bit(&sealed, 0..sealed.len(), refused);
    (0..sealed.len()).for_each(|len| refused(&sealed[..len]));
    refused(&[sealed.as_slice(), &[0]].concat());
    let other = SecretKey::generate();
    assert_eq!(record::open(&other, &sealed).err(), Some(OpenFailed));
    assert!(record::open(&term_key, &sealed).is_ok());
}

#[test]
fn a_record_keeps_its_limits() {
    let key = SecretKey::generate();
    let check = |header: &RecordHeader, plaintext: usize, expected: Option<FormatError>| {
        assert_eq!(
            record::seal(&key, header, &vec![0; plaintext]).err(),
            expected
        );
    };
    let largest = RecordHeader {
        tree: "t".repeat(RECORD_NAME_BYTES_MAX),
        record_id: "r".repeat(RECORD_NAME_BYTES_MAX),
        attributes: vec![0; RECORD_ATTRIBUTES_BYTES_MAX],
        ..record_header()
    };
    check(&largest, RECORD_PLAINTEXT_BYTES_MAX, None);
    let sealed = record::seal(&key, &largest, &[0; RECORD_PLAINTEXT_BYTES_MAX]).unwrap();
    assert_eq!(record::open(&key, &sealed).unwrap().0, largest);

    let too_long = |what, max: usize| {
        Some(FormatError::TooLong {
            what,
            max: max as u64,
        })
    };
    let mut header = largest.clone();
    header.tree.push('t');
    check(
        &header,
        0,
        too_long("a record's tree", RECORD_NAME_BYTES_MAX),
    );
    let mut header = largest.clone();
    header.attributes.push(0);
    check(
        &header,
        0,
        too_long("a record's attributes", RECORD_ATTRIBUTES_BYTES_MAX),
    );
    let plaintext = RECORD_PLAINTEXT_BYTES_MAX;
    check(
        &largest,
        plaintext + 1,
        too_long("the plaintext of a record", plaintext),
    );
    let epoch = RecordHeader {
        erase_epoch: 1,
        ..record_header()
    };
    check(&epoch, 0, Some(FormatError::EraseEpoch));
}

#[test]
fn sealing_twice_gives_different_bytes() {
    let key = SecretKey::generate();
    assert_ne!(
        seal_blob(&key, b"x").unwrap(),
        seal_blob(&key, b"x").unwrap()
    );
    let header = record_header();
    let (one, other) = (
        record::seal(&key, &header, b"x"),
        record::seal(&key, &header, b"x"),
    );
    assert_ne!(one.unwrap(), other.unwrap());
}

proptest! {
    #[test]
    fn any_plaintext_comes_back_from_a_blob(
        plaintext in prop::collection::vec(any::<u8>(), 0..4097),
    ) {
        let secret = SecretKey::generate();
        let sealed = seal_blob(&secret, &plaintext).unwrap();
        let opened = blob::open(&secret, Purpose::Data, &context(), &sealed).unwrap();
        prop_assert_eq!(opened.expose(), plaintext);
    }

    #[test]
    fn any_header_and_plaintext_come_back_from_a_record(
        tree in ".{0,60}",
        record_id in ".{0,60}",
        attributes in prop::collection::vec(any::<u8>(), 0..300),
        plaintext in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let key = SecretKey::generate();
        let header = RecordHeader { tree, record_id, attributes, ..record_header() };
        let sealed = record::seal(&key, &header, &plaintext).unwrap();
        let (opened_header, opened) = record::open(&key, &sealed).unwrap();
        prop_assert_eq!(&opened_header, &header);
        prop_assert_eq!(opened.expose(), plaintext);
        prop_assert_eq!(RecordHeader::parse(&sealed).unwrap(), header);
    }

    #[test]
    fn any_bytes_are_parsed_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = BlobHeader::parse(&bytes);
        let _ = RecordHeader::parse(&bytes);
        let mut record = b"WKR1\x01\x01\x03\x01".to_vec();
        record.extend_from_slice(&bytes);
        let _ = RecordHeader::parse(&record);
        prop_assert!(record::open(&SecretKey::generate(), &record).is_err());
    }
}
