//! A stream header that parses is written again as it was, also when it comes byte by byte.
#![no_main]

use envelope::stream::StreamHeader;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some((header, used))) = StreamHeader::parse(bytes) {
        assert_eq!(
            header.write().expect("a parsed header is within limits"),
            &bytes[..used]
        );
        assert_eq!(StreamHeader::parse(&bytes[..used - 1]), Ok(None));
    }
});
