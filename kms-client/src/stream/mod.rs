//! Stand-alone streams: any amount of data, sealed under a data key of its own that travels in
//! front of it. What `ward encrypt` and `ward decrypt` do, in constant memory.

mod open;
mod seal;
#[cfg(test)]
mod tests;

use std::io;

pub use open::open_stream;
pub use seal::seal_stream;

use crate::error::Error;
use crate::reason::Reason;

/// How much is read at once.
const PIECE_BYTES: usize = 64 * 1024;

fn cannot_read(error: io::Error) -> Error {
    let message = format!("the input cannot be read ({error}); check where it comes from");
    Error::new(Reason::Storage, message).with_source(error)
}

fn cannot_write(error: io::Error) -> Error {
    let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
    let reason = if full.contains(&error.kind()) {
        Reason::StorageFull
    } else {
        Reason::Storage
    };
    let message = format!("the output cannot be written ({error}); it is incomplete, discard it");
    Error::new(reason, message).with_source(error)
}
