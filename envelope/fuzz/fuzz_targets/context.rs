//! Whatever decodes as an encryption context encodes to the same bytes.
#![no_main]

use envelope::context::EncryptionContext;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(context) = EncryptionContext::decode(bytes) {
        assert_eq!(context.encode(), bytes);
    }
});
