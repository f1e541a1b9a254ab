//! Whatever the tunnel's parser accepts is written again as it was, in any pieces.
#![no_main]

use gateway_proxy::frame::{self, Item, Parser};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((&piece, bytes)) = bytes.split_first() else {
        return;
    };
    let whole = read(bytes, bytes.len());
    assert_eq!(
        whole,
        read(bytes, usize::from(piece)),
        "pieces change what is read"
    );
});

/// What is read until the first error, written again: DATA as its bytes, the rest as frames.
fn read(bytes: &[u8], piece: usize) -> Vec<u8> {
    let mut parser = Parser::default();
    let mut again = Vec::new();
    for mut piece in bytes.chunks(piece.max(1)) {
        while !piece.is_empty() {
            match parser.next(&mut piece) {
                Ok(Some(Item::Data { bytes, .. })) => again.extend_from_slice(bytes),
                Ok(Some(Item::Control { flow, control })) => {
                    frame::write(flow, &control, &mut again);
                }
                Ok(None) => {}
                Err(_) => return again,
            }
        }
    }
    again
}
