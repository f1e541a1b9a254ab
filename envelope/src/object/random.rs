//! Opens parts of an object without reading the rest.

use super::{LastChunk, Prologue, SALT_AND_COMMITMENT_BYTES, open::parse_exactly};
use crate::{
    OpenFailed,
    chunked::{self, RandomChunkOpener},
    limits::CHUNK_BYTES,
    secret::{SecretBytes, SecretKey},
};

/// Opens single chunks of an object, in any order.
///
/// A chunk that opens is the true content of its place. It proves nothing about the object's length
/// or completeness: only opening the last chunk, where [`last_chunk`](Self::last_chunk) says it
/// lies, does that.
pub struct RandomOpener {
    prologue: Prologue,
    header_bytes: u64,
    chunks: RandomChunkOpener,
}

impl RandomOpener {
    /// Derives the key and checks the commitment to it. `prologue` is exactly the prologue's bytes.
    ///
    /// # Errors
    ///
    /// Returns [`OpenFailed`] for a wrong key and for any change to the prologue.
    pub fn new(
        data_key: &SecretKey,
        prologue: &[u8],
        salt_and_commitment: &[u8; SALT_AND_COMMITMENT_BYTES],
    ) -> Result<Self, OpenFailed> {
        let parsed = parse_exactly(prologue)?;
        let chunks = RandomChunkOpener::new(data_key, prologue, salt_and_commitment)?;
        let header_bytes = (prologue.len() + SALT_AND_COMMITMENT_BYTES) as u64;
        Ok(Self {
            prologue: parsed,
            header_bytes,
            chunks,
        })
    }

    /// Returns the prologue, authentic since [`new`](Self::new) succeeded.
    pub fn prologue(&self) -> &Prologue {
        &self.prologue
    }

    /// Returns the chunk that holds byte `plaintext_offset`, and the byte's place in it.
    pub fn chunk_of(plaintext_offset: u64) -> (u64, usize) {
        let chunk_bytes = CHUNK_BYTES as u64;
        (
            plaintext_offset / chunk_bytes,
            (plaintext_offset % chunk_bytes) as usize,
        )
    }

    /// Returns where chunk `number` begins, counted from the object's first byte; `None` where no
    /// object reaches.
    pub fn sealed_offset(&self, number: u64) -> Option<u64> {
        chunked::chunk_offset(number)?.checked_add(self.header_bytes)
    }

    /// Finds the last chunk of an object of `object_bytes` sealed bytes, prologue included.
    ///
    /// # Errors
    ///
    /// Returns [`OpenFailed`] for a length that no object has, such as one cut at a chunk's edge.
    pub fn last_chunk(&self, object_bytes: u64) -> Result<LastChunk, OpenFailed> {
        let body_bytes = object_bytes
            .checked_sub(self.header_bytes)
            .ok_or(OpenFailed)?;
        let mut last = chunked::last_chunk(body_bytes)?;
        last.sealed_offset += self.header_bytes;
        Ok(last)
    }

    /// Opens chunk `number`, which is `sealed`; every chunk but the last is full, and the last is
    /// not.
    ///
    /// # Errors
    ///
    /// Returns [`OpenFailed`] for a chunk that is not the authentic one of this place.
    pub fn open_chunk(
        &self,
        number: u64,
        sealed: &[u8],
        is_last: bool,
    ) -> Result<SecretBytes, OpenFailed> {
        self.chunks.open_chunk(number, sealed, is_last)
    }

    /// Returns the length of the whole plaintext, from the last chunk as it was opened.
    pub fn len_from_last(last: &LastChunk, plaintext: &SecretBytes) -> u64 {
        last.number * CHUNK_BYTES as u64 + plaintext.len() as u64
    }
}
