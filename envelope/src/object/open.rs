//! Opens an object as a stream.

use super::{Prologue, SALT_AND_COMMITMENT_BYTES};
use crate::{
    OpenFailed,
    chunked::ChunkOpener,
    secret::{SecretBytes, SecretKey, SecretVec},
};

/// Opens one object; releases nothing that is not authenticated.
///
/// What [`update`](Self::update) releases is a true beginning of the plaintext. Only
/// [`finish`](Self::finish) says that it is the whole: a caller that hands on the pieces must tell
/// its receiver when that fails.
pub struct Opener {
    prologue: Prologue,
    chunks: ChunkOpener,
}

impl Opener {
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
        let chunks = ChunkOpener::new(data_key, prologue, salt_and_commitment)?;
        Ok(Self {
            prologue: parsed,
            chunks,
        })
    }

    /// Returns the prologue, authentic since [`new`](Self::new) succeeded.
    pub fn prologue(&self) -> &Prologue {
        &self.prologue
    }

    /// Takes sealed bytes and appends the plaintext of every chunk that is now whole.
    ///
    /// # Errors
    ///
    /// Returns [`OpenFailed`] for a chunk that is not authentic, and ever after.
    pub fn update(&mut self, sealed: &[u8], out: &mut SecretVec) -> Result<(), OpenFailed> {
        self.chunks.update(sealed, out)
    }

    /// Opens what is left as the last chunk and returns the length of the whole plaintext.
    ///
    /// # Errors
    ///
    /// Returns [`OpenFailed`] when the object was truncated, extended or changed.
    pub fn finish(self, out: &mut SecretVec) -> Result<u64, OpenFailed> {
        self.chunks.finish(out)
    }
}

/// Opens an object that is in memory as a whole.
///
/// # Errors
///
/// Returns [`OpenFailed`] whatever is wrong, malformed prologues included.
pub fn open(data_key: &SecretKey, sealed: &[u8]) -> Result<(Prologue, SecretBytes), OpenFailed> {
    let (_, used) = Prologue::parse(sealed).ok().flatten().ok_or(OpenFailed)?;
    let (prologue, rest) = sealed.split_at(used);
    let (salt_and_commitment, body) = rest.split_first_chunk().ok_or(OpenFailed)?;
    let mut opener = Opener::new(data_key, prologue, salt_and_commitment)?;
    let prologue = opener.prologue().clone();
    let mut out = SecretVec::with_capacity(body.len());
    opener.update(body, &mut out)?;
    opener.finish(&mut out)?;
    Ok((prologue, out.into_bytes()))
}

/// Reads a prologue that must fill all of `bytes`.
pub(super) fn parse_exactly(bytes: &[u8]) -> Result<Prologue, OpenFailed> {
    match Prologue::parse(bytes) {
        Ok(Some((prologue, used))) if used == bytes.len() => Ok(prologue),
        Ok(Some(_) | None) | Err(_) => Err(OpenFailed),
    }
}
