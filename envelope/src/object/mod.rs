//! The object: a prologue that says what it is, and a Cobblestone-256 body that has the prologue as
//! its context.
//!
//! ```text
//! prologue ‖ salt 24 ‖ commitment 32 ‖ chunk 0 ‖ … ‖ last chunk
//! ```
//!
//! A changed prologue fails the commitment, before anything is decrypted. Used by the gateway's
//! archive, by `ward encrypt` and `ward decrypt`, and by the client library.

mod open;
mod prologue;
mod random;
mod seal;

pub use crate::chunked::LastChunk;
pub use open::{Opener, open};
pub use prologue::{PROLOGUE_BYTES_MAX, Prologue};
pub use random::RandomOpener;
pub use seal::Sealer;

/// Bytes of salt and commitment, between the prologue and the first chunk.
pub const SALT_AND_COMMITMENT_BYTES: usize = crate::chunked::HEADER_BYTES;
/// Bytes of every sealed chunk but the last, which is shorter.
pub const SEALED_CHUNK_BYTES: usize = crate::chunked::SEALED_CHUNK_BYTES;
/// Most bytes before the first chunk: the longest prologue, salt and commitment.
pub const HEADER_MAX: usize = PROLOGUE_BYTES_MAX + SALT_AND_COMMITMENT_BYTES;
