//! Opens single chunks of a message by their number, and tells where they lie.

use super::{HEADER_BYTES, SEALED_CHUNK_BYTES, split_header};
use crate::{
    OpenFailed,
    aead::{MessageKey, TAG_BYTES},
    derive,
    limits::CHUNKS_MAX,
    secret::{SecretBytes, SecretKey, SecretVec},
};

/// Opens chunks of one message in any order.
pub(crate) struct RandomChunkOpener {
    key: MessageKey,
}

/// Where the last chunk of a message lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastChunk {
    /// Its number; the chunks before it are all full.
    pub number: u64,
    /// Its offset in the sealed bytes, from the first byte of the whole.
    pub sealed_offset: u64,
    /// Its sealed bytes, tag included.
    pub sealed_bytes: usize,
}

impl RandomChunkOpener {
    /// Derives the key and checks the commitment.
    pub(crate) fn new(
        data_key: &SecretKey,
        context: &[u8],
        header: &[u8; HEADER_BYTES],
    ) -> Result<Self, OpenFailed> {
        let (salt, commitment) = split_header(header)?;
        let key = derive::object(data_key, &salt, context).for_opening(&commitment)?;
        Ok(Self { key })
    }

    /// Opens chunk `number`; only the last may be short, and it must be.
    pub(crate) fn open_chunk(
        &self,
        number: u64,
        sealed: &[u8],
        is_last: bool,
    ) -> Result<SecretBytes, OpenFailed> {
        let may_be = if is_last {
            (TAG_BYTES..SEALED_CHUNK_BYTES).contains(&sealed.len())
        } else {
            sealed.len() == SEALED_CHUNK_BYTES
        };
        if !may_be || number >= CHUNKS_MAX {
            return Err(OpenFailed);
        }
        let mut out = SecretVec::with_capacity(sealed.len());
        out.extend_from_slice(sealed);
        let opened = self.key.open_in_place(number, &[], out.tail_mut(0))?.len();
        out.truncate(opened);
        Ok(out.into_bytes())
    }
}

/// Returns the offset of a chunk behind salt and commitment.
pub(crate) fn chunk_offset(number: u64) -> Option<u64> {
    number.checked_mul(SEALED_CHUNK_BYTES as u64)
}

/// Finds the last chunk among `body_bytes` sealed bytes behind salt and commitment.
///
/// # Errors
///
/// Refuses lengths that no message has.
pub(crate) fn last_chunk(body_bytes: u64) -> Result<LastChunk, OpenFailed> {
    let number = body_bytes / SEALED_CHUNK_BYTES as u64;
    let sealed_bytes = (body_bytes % SEALED_CHUNK_BYTES as u64) as usize;
    if sealed_bytes < TAG_BYTES || number >= CHUNKS_MAX {
        return Err(OpenFailed);
    }
    Ok(LastChunk {
        number,
        sealed_offset: body_bytes - sealed_bytes as u64,
        sealed_bytes,
    })
}
