//! Archive headers, entries and side-cars that parse are written again as they were.
#![no_main]

use envelope::segment::{self, SEGMENT_HEADER_BYTES, SegmentHeader, SideCar};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(first) = bytes.first_chunk::<SEGMENT_HEADER_BYTES>() {
        if let Ok(header) = SegmentHeader::parse(first) {
            assert_eq!(&header.encode(), first);
        }
    }
    if let Ok(Some((entry, used))) = segment::decode(bytes) {
        let mut again = Vec::new();
        segment::append(&mut again, &entry);
        assert_eq!(again, &bytes[..used]);
    }
    if let Ok(side_car) = SideCar::decode(bytes) {
        assert_eq!(side_car.encode(), bytes);
    }
});
