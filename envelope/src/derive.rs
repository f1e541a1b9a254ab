//! Every key derivation of Ward's formats.
//!
//! All are HKDF-Expand with SHA-512 (RFC 5869, section 2.3) from a uniformly random 256-bit key;
//! the extract step would add nothing. Each info string begins with a name of its own that ends in
//! a zero byte, followed by a salt of 192 bits or more at a fixed place, so no two messages share a
//! key:
//!
//! ```text
//! key(32) ‖ base nonce(12) ‖ commitment(32) = HKDF-Expand-SHA-512(PRK, info)
//!
//!         PRK           info
//! object  data key      "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM" 00 ‖ salt(24) ‖ prologue
//! blob    key version   "ward/blob/v1" 00 ‖ header(56, ends in salt 32) ‖ canonical context
//! record  term key      "ward/record/v1" 00 ‖ header (all before the commitment, ends in salt 32)
//! ```

use ring::{error::Unspecified, hkdf};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{OpenFailed, aead::MessageKey, secret::SecretKey, wipe};

/// Derives what an object is sealed with; the construction of c2sp.org/chunked-encryption.
pub(crate) fn object(data_key: &SecretKey, salt: &[u8; 24], context: &[u8]) -> Derived {
    const NAME: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";
    Derived::new(data_key, &[NAME, salt, context])
}

/// Derives what a ciphertext blob is sealed with.
pub(crate) fn blob(key_version: &SecretKey, header: &[u8; 56], context: &[u8]) -> Derived {
    Derived::new(key_version, &[b"ward/blob/v1\0", header, context])
}

/// Derives what a sealed record is sealed with.
pub(crate) fn record(term_key: &SecretKey, header: &[u8]) -> Derived {
    Derived::new(term_key, &[b"ward/record/v1\0", header])
}

/// Key, base nonce and commitment of one message.
pub(crate) struct Derived(Box<Zeroizing<[u8; Derived::BYTES]>>);

impl Derived {
    const BYTES: usize = 32 + 12 + 32;

    fn new(prk: &SecretKey, info: &[&[u8]]) -> Self {
        let mut derived = Self(Box::new(Zeroizing::new([0; Self::BYTES])));
        expand(prk.expose(), info, derived.0.as_mut_slice())
            .expect("76 bytes are far below HKDF's limit of 255 hashes");
        wipe::stack();
        derived
    }

    /// Returns the commitment to write, and the key to seal with.
    pub(crate) fn for_sealing(self) -> ([u8; 32], MessageKey) {
        (*self.commitment(), self.message_key())
    }

    /// Returns the key to open with, once the commitment that was read is the derived one.
    ///
    /// There is no other way to a key for opening, so nothing is decrypted before this check.
    pub(crate) fn for_opening(self, commitment: &[u8; 32]) -> Result<MessageKey, OpenFailed> {
        if !bool::from(self.commitment().ct_eq(commitment)) {
            return Err(OpenFailed);
        }
        Ok(self.message_key())
    }

    fn message_key(&self) -> MessageKey {
        let (key, rest) = self
            .0
            .split_first_chunk::<32>()
            .expect("76 bytes hold a key");
        let (nonce, _) = rest
            .split_first_chunk::<12>()
            .expect("44 bytes hold a nonce");
        MessageKey::new(key, *nonce)
    }

    fn commitment(&self) -> &[u8; 32] {
        self.0.last_chunk().expect("76 bytes hold a commitment")
    }
}

/// HKDF-Expand with SHA-512; `info` is the concatenation of its parts.
pub(crate) fn expand(prk: &[u8], info: &[&[u8]], okm: &mut [u8]) -> Result<(), Unspecified> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, prk)
        .expand(info, Length(okm.len()))?
        .fill(okm)
}
