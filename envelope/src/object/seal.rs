//! Seals an object as a stream.

use super::Prologue;
use crate::{FormatError, chunked::ChunkSealer, secret::SecretKey};

/// Seals one object; holds at most 16 KiB of its plaintext.
///
/// ```
/// use envelope::{context::{EncryptionContext, reserved}, id, object, secret::SecretKey};
///
/// let data_key = SecretKey::generate();
/// let data_key_id = id::DataKeyId::random();
/// let mut context = EncryptionContext::new();
/// context.insert_reserved(reserved::DATA_KEY, data_key_id.to_string())?;
/// let prologue = object::Prologue { object_id: id::ObjectId::random(), data_key_id, context };
///
/// let mut sealer = object::Sealer::new(&data_key, &prologue)?;
/// let mut sealed = sealer.header().to_vec();
/// sealer.update(b"any number ", &mut sealed)?;
/// sealer.update(b"of pieces", &mut sealed)?;
/// let plaintext_bytes = sealer.finish(&mut sealed)?;
/// assert_eq!(plaintext_bytes, 20);
/// # Ok::<(), envelope::FormatError>(())
/// ```
pub struct Sealer {
    header: Vec<u8>,
    chunks: ChunkSealer,
}

impl Sealer {
    /// Starts an object under a new random salt.
    ///
    /// # Errors
    ///
    /// Refuses a prologue whose context does not name the data key under `ward:dk`.
    pub fn new(data_key: &SecretKey, prologue: &Prologue) -> Result<Self, FormatError> {
        prologue.check_data_key()?;
        let mut header = prologue.encode();
        let (chunks, salt_and_commitment) = ChunkSealer::new(data_key, &header);
        header.extend_from_slice(&salt_and_commitment);
        Ok(Self { header, chunks })
    }

    /// Returns what stands before the first chunk: prologue, salt and commitment.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Takes plaintext and appends the chunks that are full to `out`.
    ///
    /// # Errors
    ///
    /// Refuses more than 4 PiB in one object.
    pub fn update(&mut self, plaintext: &[u8], out: &mut Vec<u8>) -> Result<(), FormatError> {
        self.chunks.update(plaintext, out)
    }

    /// Appends the last chunk and returns the length of the whole plaintext.
    ///
    /// # Errors
    ///
    /// Refuses more than 4 PiB in one object.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<u64, FormatError> {
        self.chunks.finish(out)
    }
}

#[cfg(test)]
impl Sealer {
    /// Starts an object under a given salt, for the frozen vectors.
    pub(crate) fn with_salt(data_key: &SecretKey, salt: [u8; 24], prologue: &Prologue) -> Self {
        let mut header = prologue.encode();
        let (chunks, salt_and_commitment) = ChunkSealer::with_salt(data_key, salt, &header);
        header.extend_from_slice(&salt_and_commitment);
        Self { header, chunks }
    }
}
