//! Cobblestone-256 of the C2SP chunked-encryption specification, over any context.
//!
//! ```text
//! salt 24 ‖ commitment 32 ‖ chunk 0 ‖ chunk 1 ‖ … ‖ last chunk
//! chunk = AES-256-GCM(16 KiB of plaintext) ‖ tag 16; the last has 0 to 16 383 bytes of plaintext
//! ```
//!
//! The last chunk is the only short one, which is how the end is told from a truncation. `object`
//! adds the prologue as context; nothing else in Ward uses this module.
//! Specification: <https://c2sp.org/chunked-encryption>.

mod open;
mod random;
mod seal;

pub(crate) use open::ChunkOpener;
pub use random::LastChunk;
pub(crate) use random::{RandomChunkOpener, chunk_offset, last_chunk};
pub(crate) use seal::ChunkSealer;

use crate::{OpenFailed, aead::TAG_BYTES, limits::CHUNK_BYTES, wire::Reader};

/// Bytes of salt and commitment.
pub(crate) const HEADER_BYTES: usize = SALT_BYTES + 32;
/// Bytes of the salt.
pub(crate) const SALT_BYTES: usize = 24;
/// Bytes of every sealed chunk but the last.
pub(crate) const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

/// Splits salt and commitment.
fn split_header(header: &[u8; HEADER_BYTES]) -> Result<([u8; SALT_BYTES], [u8; 32]), OpenFailed> {
    let mut reader = Reader::new("an object's header", header);
    let salt = reader.array().map_err(|_| OpenFailed)?;
    let commitment = reader.array().map_err(|_| OpenFailed)?;
    Ok((salt, commitment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        FormatError,
        limits::CHUNKS_MAX,
        secret::{SecretKey, SecretVec},
    };

    #[test]
    fn the_last_allowed_chunk_is_sealed_and_opened_and_the_next_refused() {
        let key = SecretKey::generate();
        let chunk = vec![7; CHUNK_BYTES];
        let (mut sealer, header) = ChunkSealer::new(&key, b"context");
        sealer.skip_to(CHUNKS_MAX - 1);
        let mut sealed = Vec::new();
        sealer.update(&chunk, &mut sealed).unwrap();
        let refused = sealer.update(&chunk, &mut sealed);
        assert!(matches!(refused, Err(FormatError::TooLong { .. })));
        assert!(sealer.finish(&mut sealed).is_err());
        assert_eq!(sealed.len(), SEALED_CHUNK_BYTES);

        let mut out = SecretVec::new();
        let mut opener = ChunkOpener::new(&key, b"context", &header).unwrap();
        opener.skip_to(CHUNKS_MAX - 1);
        opener.update(&sealed, &mut out).unwrap();
        assert!(out.expose() == chunk);
        assert_eq!(opener.update(&sealed, &mut out), Err(OpenFailed));
        assert!(out.expose() == chunk);

        let opener = RandomChunkOpener::new(&key, b"context", &header).unwrap();
        assert!(opener.open_chunk(CHUNKS_MAX - 1, &sealed, false).is_ok());
        assert!(opener.open_chunk(CHUNKS_MAX, &sealed, false).is_err());
    }

    #[test]
    fn sealing_twice_gives_different_bytes() {
        let key = SecretKey::generate();
        let (_, one) = ChunkSealer::new(&key, b"context");
        let (_, other) = ChunkSealer::new(&key, b"context");
        assert_ne!(one, other);
    }
}
