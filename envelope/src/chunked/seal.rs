//! Seals a stream of plaintext chunk by chunk, holding at most one chunk.

use super::{HEADER_BYTES, SALT_BYTES};
use crate::{
    FormatError,
    aead::{MessageKey, TAG_BYTES},
    derive,
    limits::{CHUNK_BYTES, CHUNKS_MAX},
    random,
    secret::{SecretKey, SecretVec},
};

/// Seals one message.
pub(crate) struct ChunkSealer {
    key: MessageKey,
    /// The number of the chunk that is sealed next.
    number: u64,
    /// Plaintext that does not fill a chunk yet: always less than one chunk between calls.
    pending: SecretVec,
}

impl ChunkSealer {
    /// Starts a message under a new random salt; returns its salt and commitment too.
    pub(crate) fn new(data_key: &SecretKey, context: &[u8]) -> (Self, [u8; HEADER_BYTES]) {
        Self::with_salt(data_key, random::array(), context)
    }

    /// Starts a message under a given salt, which only the frozen vectors may choose.
    pub(crate) fn with_salt(
        data_key: &SecretKey,
        salt: [u8; SALT_BYTES],
        context: &[u8],
    ) -> (Self, [u8; HEADER_BYTES]) {
        let (commitment, key) = derive::object(data_key, &salt, context).for_sealing();
        let mut header = [0; HEADER_BYTES];
        header[..SALT_BYTES].copy_from_slice(&salt);
        header[SALT_BYTES..].copy_from_slice(&commitment);
        (
            Self {
                key,
                number: 0,
                pending: SecretVec::new(),
            },
            header,
        )
    }

    /// Takes plaintext and appends every chunk that is full.
    pub(crate) fn update(
        &mut self,
        mut plaintext: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), FormatError> {
        if !self.pending.is_empty() {
            let missing = CHUNK_BYTES - self.pending.len();
            let (head, rest) = plaintext.split_at(missing.min(plaintext.len()));
            self.pending.extend_from_slice(head);
            plaintext = rest;
            if self.pending.len() < CHUNK_BYTES {
                return Ok(());
            }
            self.seal_pending(out)?;
        }
        let mut chunks = plaintext.chunks_exact(CHUNK_BYTES);
        for chunk in &mut chunks {
            self.seal_chunk(chunk, out)?;
        }
        self.pending.extend_from_slice(chunks.remainder());
        Ok(())
    }

    /// Appends the last chunk and returns the length of the whole plaintext.
    pub(crate) fn finish(mut self, out: &mut Vec<u8>) -> Result<u64, FormatError> {
        let len = self.number * CHUNK_BYTES as u64 + self.pending.len() as u64;
        self.seal_pending(out)?;
        Ok(len)
    }

    fn seal_pending(&mut self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let mut pending = std::mem::take(&mut self.pending);
        let sealed = self.seal_chunk(pending.expose(), out);
        pending.clear();
        // Keep the allocation: the next partial chunk goes into it.
        self.pending = pending;
        sealed
    }

    fn seal_chunk(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), FormatError> {
        if self.number == CHUNKS_MAX {
            let max = CHUNKS_MAX * CHUNK_BYTES as u64;
            return Err(FormatError::TooLong {
                what: "the plaintext of an object",
                max,
            });
        }
        let start = out.len();
        // With room for the tag too, no reallocation can leave a copy of the plaintext behind.
        out.reserve(plaintext.len() + TAG_BYTES);
        out.extend_from_slice(plaintext);
        let tag = self.key.seal_in_place(self.number, &[], &mut out[start..]);
        out.extend_from_slice(&tag);
        self.number += 1;
        Ok(())
    }
}

#[cfg(test)]
impl ChunkSealer {
    /// Lets tests reach the limit without sealing 4 PiB.
    pub(crate) fn skip_to(&mut self, number: u64) {
        self.number = number;
    }
}
