//! An observer partitions any stream, and how the bytes arrive does not matter.
#![no_main]

use gateway_proxy::ids::Protocol;
use gateway_proxy::observe::{End, Observer};

/// Where objects end, and how.
fn ends(protocol: Protocol, stream: &[u8], piece: usize) -> Vec<(usize, End)> {
    let mut observer = Observer::new(protocol);
    let (mut ends, mut at, mut open) = (Vec::new(), 0, false);
    for mut piece in stream.chunks(piece) {
        while !piece.is_empty() {
            let cut = observer.cut(piece);
            at += cut.used;
            open |= cut.used > 0;
            assert!(
                cut.used > 0 || cut.end.is_some(),
                "an observer that does not move"
            );
            if let Some(end) = cut.end {
                assert!(open, "an object ended empty");
                ends.push((at, end));
                open = false;
            }
            piece = &piece[cut.used..];
        }
    }
    assert_eq!(at, stream.len());
    ends
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((piece, stream)) = bytes.split_first() else {
        return;
    };
    for protocol in [Protocol::Hl7, Protocol::Dicom] {
        assert_eq!(
            ends(protocol, stream, usize::from(*piece).max(1)),
            ends(protocol, stream, stream.len().max(1))
        );
    }
});
