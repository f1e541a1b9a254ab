//! AES-256-GCM under a key that belongs to one message.
//!
//! The only file that touches the cipher. Its keys come from `derive` alone; a nonce is the
//! message's derived base nonce XOR the number of the chunk, never a caller's choice.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::{OpenFailed, wipe};

/// Bytes of an authentication tag.
pub(crate) const TAG_BYTES: usize = 16;

/// The key and the base nonce of one message.
pub(crate) struct MessageKey {
    /// ring's expanded key, on the heap, so that moving this struct leaves no copies.
    slot: Box<LessSafeKey>,
    base_nonce: [u8; 12],
}

impl MessageKey {
    /// Expands a key.
    pub(crate) fn new(key: &[u8; 32], base_nonce: [u8; 12]) -> Self {
        let slot = expand(key);
        wipe::stack();
        Self { slot, base_nonce }
    }

    /// Encrypts chunk `number` where it lies and returns its tag.
    pub(crate) fn seal_in_place(
        &self,
        number: u64,
        aad: &[u8],
        plaintext: &mut [u8],
    ) -> [u8; TAG_BYTES] {
        let tag = self
            .slot
            .seal_in_place_separate_tag(self.nonce(number), Aad::from(aad), plaintext)
            .expect("AES-GCM takes 64 GiB; chunks, blobs and records are far smaller");
        tag.as_ref().try_into().expect("a GCM tag is 16 bytes")
    }

    /// Decrypts `ciphertext ‖ tag` of chunk `number` where it lies; the plaintext is at its front.
    ///
    /// When it fails, `sealed` holds nothing of the plaintext: ring overwrites it.
    pub(crate) fn open_in_place<'a>(
        &self,
        number: u64,
        aad: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a [u8], OpenFailed> {
        match self
            .slot
            .open_in_place(self.nonce(number), Aad::from(aad), sealed)
        {
            Ok(plaintext) => Ok(plaintext),
            Err(ring::error::Unspecified) => Err(OpenFailed),
        }
    }

    /// The base nonce XOR the chunk's number as a 96-bit big-endian integer.
    fn nonce(&self, number: u64) -> Nonce {
        let mut nonce = self.base_nonce;
        for (byte, mask) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= mask;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

/// ring does not wipe its keys, so another key is written over this one.
impl Drop for MessageKey {
    fn drop(&mut self) {
        *self.slot = ring_key(&[0; 32]);
        // Without a reader the compiler may leave out a write to memory that is about to be freed.
        zeroize::optimization_barrier(self.slot.as_ref());
    }
}

/// Expands a key into its slot; a call of its own, so that its frame lies where the wipe reaches.
#[inline(never)]
fn expand(key: &[u8; 32]) -> Box<LessSafeKey> {
    Box::new(ring_key(key))
}

fn ring_key(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("an AES-256 key is 32 bytes"))
}
