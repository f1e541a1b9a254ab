//! No bytes that nobody sealed open as a ciphertext blob, and none make the parser panic.
#![no_main]

use envelope::{
    blob::{self, BlobHeader, Purpose},
    context::EncryptionContext,
    secret::SecretKey,
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let parses = BlobHeader::parse(bytes).is_ok();
    let key = SecretKey::generate();
    for purpose in [Purpose::WrappedDataKey, Purpose::Data] {
        assert!(blob::open(&key, purpose, &EncryptionContext::new(), bytes).is_err());
    }
    assert!(!parses || (104..=4200).contains(&bytes.len()));
});
