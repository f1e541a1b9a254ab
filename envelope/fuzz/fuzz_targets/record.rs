//! No bytes that nobody sealed open as a record; a header that parses is sealed again as it was.
#![no_main]

use envelope::{
    record::{self, RecordHeader},
    secret::SecretKey,
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // Behind magic, version and suite, which are hard to guess and quickly refused.
    let bytes = [b"WKR1\x01\x01", bytes].concat();
    let bytes = bytes.as_slice();
    let key = SecretKey::generate();
    assert!(record::open(&key, bytes).is_err());
    if let Ok(header) = RecordHeader::parse(bytes) {
        let sealed = record::seal(&key, &header, b"").expect("a parsed header is within limits");
        let clear = sealed.len() - 32 - 32 - 16;
        assert_eq!(sealed[..clear], bytes[..clear]);
    }
});
