//! Opens a stream of sealed bytes, releasing only chunks that are authenticated.

use super::{HEADER_BYTES, SEALED_CHUNK_BYTES, split_header};
use crate::{
    OpenFailed,
    aead::{MessageKey, TAG_BYTES},
    derive,
    limits::{CHUNK_BYTES, CHUNKS_MAX},
    secret::{SecretKey, SecretVec},
};

/// Opens one message; after the first failure it fails for ever.
pub(crate) struct ChunkOpener {
    /// `None` once something failed to open, which also wipes the key.
    key: Option<MessageKey>,
    /// The number of the chunk that is opened next.
    number: u64,
    /// Sealed bytes that may still be the last chunk: always less than a full one between calls.
    pending: Vec<u8>,
}

impl ChunkOpener {
    /// Derives the key and checks the commitment.
    pub(crate) fn new(
        data_key: &SecretKey,
        context: &[u8],
        header: &[u8; HEADER_BYTES],
    ) -> Result<Self, OpenFailed> {
        let (salt, commitment) = split_header(header)?;
        let key = derive::object(data_key, &salt, context).for_opening(&commitment)?;
        Ok(Self {
            key: Some(key),
            number: 0,
            pending: Vec::new(),
        })
    }

    /// Takes sealed bytes and appends the plaintext of every chunk that is now whole.
    pub(crate) fn update(
        &mut self,
        mut sealed: &[u8],
        out: &mut SecretVec,
    ) -> Result<(), OpenFailed> {
        if !self.pending.is_empty() {
            let missing = SEALED_CHUNK_BYTES - self.pending.len();
            let (head, rest) = sealed.split_at(missing.min(sealed.len()));
            self.pending.extend_from_slice(head);
            sealed = rest;
            if self.pending.len() < SEALED_CHUNK_BYTES {
                return self.usable();
            }
            self.open_pending(out)?;
        }
        // A full chunk is never the last one, so it can be opened before more is known.
        let mut chunks = sealed.chunks_exact(SEALED_CHUNK_BYTES);
        for chunk in &mut chunks {
            self.open_chunk(chunk, out)?;
        }
        self.pending.extend_from_slice(chunks.remainder());
        self.usable()
    }

    /// Opens what is left as the last chunk and returns the length of the whole plaintext.
    pub(crate) fn finish(mut self, out: &mut SecretVec) -> Result<u64, OpenFailed> {
        let last = self
            .pending
            .len()
            .checked_sub(TAG_BYTES)
            .ok_or(OpenFailed)?;
        let len = self.number * CHUNK_BYTES as u64 + last as u64;
        self.open_pending(out)?;
        Ok(len)
    }

    fn open_pending(&mut self, out: &mut SecretVec) -> Result<(), OpenFailed> {
        let mut pending = std::mem::take(&mut self.pending);
        let opened = self.open_chunk(&pending, out);
        pending.clear();
        self.pending = pending;
        opened
    }

    fn open_chunk(&mut self, sealed: &[u8], out: &mut SecretVec) -> Result<(), OpenFailed> {
        // Taken out, so that a failure below leaves no key to go on with.
        let key = self
            .key
            .take()
            .filter(|_| self.number < CHUNKS_MAX)
            .ok_or(OpenFailed)?;
        let start = out.len();
        out.extend_from_slice(sealed);
        let opened = key
            .open_in_place(self.number, &[], out.tail_mut(start))
            .map(<[u8]>::len);
        // Cuts off the tag, or all of a chunk that is not authentic.
        out.truncate(start + opened.unwrap_or(0));
        opened?;
        self.key = Some(key);
        self.number += 1;
        Ok(())
    }

    fn usable(&self) -> Result<(), OpenFailed> {
        self.key.as_ref().map(|_| ()).ok_or(OpenFailed)
    }
}

#[cfg(test)]
impl ChunkOpener {
    /// Lets tests reach the limit without opening 4 PiB.
    pub(crate) fn skip_to(&mut self, number: u64) {
        self.number = number;
    }
}
