//! The secret types: born on the heap, wiped on drop, with one way out.
//!
//! None of them has `Debug`, `Clone` or `Serialize`; a search for `.expose()` finds every place
//! where a secret is looked at.
//!
//! ```compile_fail
//! fn shown<T: std::fmt::Debug>() {}
//! shown::<envelope::secret::SecretKey>();
//! ```
//! ```compile_fail
//! fn copied<T: Clone>() {}
//! copied::<envelope::secret::SecretKey>();
//! ```
//! ```compile_fail
//! fn shown<T: std::fmt::Debug>() {}
//! shown::<envelope::secret::SecretBytes>();
//! ```
//! ```compile_fail
//! fn copied<T: Clone>() {}
//! copied::<envelope::secret::SecretBytes>();
//! ```
//! ```compile_fail
//! fn shown<T: std::fmt::Debug>() {}
//! shown::<envelope::secret::SecretVec>();
//! ```
//! ```compile_fail
//! fn copied<T: Clone>() {}
//! copied::<envelope::secret::SecretVec>();
//! ```
//!
//! The same lines compile for a type that has the traits, so it is the traits that are missing:
//!
//! ```
//! fn shown<T: std::fmt::Debug>() {}
//! fn copied<T: Clone>() {}
//! shown::<envelope::id::KeyId>();
//! copied::<envelope::id::KeyId>();
//! ```

use zeroize::Zeroize;

use crate::{FormatError, random};

/// A 256-bit key: a data key, a key version's secret, a term key, a join secret.
pub struct SecretKey(Box<[u8; SecretKey::BYTES]>);

impl SecretKey {
    /// Bytes of a key.
    pub const BYTES: usize = 32;

    /// Makes a new key from the operating system's randomness.
    ///
    /// # Panics
    ///
    /// Panics when the operating system has no randomness to give.
    pub fn generate() -> Self {
        let mut key = Self(Box::new([0; Self::BYTES]));
        random::fill(key.0.as_mut());
        key
    }

    /// Takes a copy of a key that is in the caller's hands; wiping that one is the caller's task.
    ///
    /// # Errors
    ///
    /// Refuses anything but exactly 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, FormatError> {
        if bytes.len() != Self::BYTES {
            return Err(FormatError::KeyLength);
        }
        let mut key = Self(Box::new([0; Self::BYTES]));
        key.0.copy_from_slice(bytes);
        Ok(key)
    }

    /// Shows the key to the line that uses it.
    pub fn expose(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// Secret bytes of fixed content: an opened blob, an opened record.
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    /// Takes the bytes over, so that there is no second copy to wipe.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Shows the bytes to the line that uses them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Returns the number of bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Says whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A growing buffer of secret bytes, into which an object is opened.
///
/// Growing moves the bytes to a new allocation and wipes the old one.
#[derive(Default)]
pub struct SecretVec(Vec<u8>);

impl SecretVec {
    /// Makes an empty buffer without an allocation.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes an empty buffer that takes `bytes` bytes before it grows.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Shows the bytes to the line that uses them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Returns the number of bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Says whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Wipes the bytes and keeps the allocation for the next ones.
    pub fn clear(&mut self) {
        self.truncate(0);
    }

    /// Appends bytes; the buffer grows at least twofold when they do not fit.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Gives the bytes on without a copy.
    pub fn into_bytes(mut self) -> SecretBytes {
        SecretBytes(std::mem::take(&mut self.0))
    }

    /// Wipes everything behind the first `len` bytes.
    pub(crate) fn truncate(&mut self, len: usize) {
        if let Some(tail) = self.0.get_mut(len..) {
            tail.zeroize();
        }
        self.0.truncate(len);
    }

    /// Shows everything behind the first `start` bytes, to open it where it lies.
    pub(crate) fn tail_mut(&mut self, start: usize) -> &mut [u8] {
        &mut self.0[start..]
    }

    /// Makes room for `more` bytes without leaving a copy behind, as `Vec::reserve` would.
    fn reserve(&mut self, more: usize) {
        if self.0.capacity() - self.0.len() >= more {
            return;
        }
        let capacity = (self.0.len() + more).max(self.0.capacity() * 2);
        let mut larger = Vec::with_capacity(capacity);
        larger.extend_from_slice(&self.0);
        self.0.zeroize();
        self.0 = larger;
    }
}

impl Drop for SecretVec {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_generated_keys_differ() {
        assert_ne!(
            SecretKey::generate().expose(),
            SecretKey::generate().expose()
        );
    }

    #[test]
    fn a_key_is_exactly_32_bytes() {
        for len in [0, 31, 33, 64] {
            assert_eq!(
                SecretKey::from_slice(&vec![7; len]).err(),
                Some(FormatError::KeyLength)
            );
        }
        let key = SecretKey::from_slice(&[7; 32]).unwrap();
        assert_eq!(key.expose(), &[7; 32]);
    }

    #[test]
    fn a_growing_buffer_keeps_its_bytes() {
        let mut buffer = SecretVec::new();
        let mut expected = Vec::new();
        for n in 0..100u8 {
            buffer.extend_from_slice(&[n; 37]);
            expected.extend_from_slice(&[n; 37]);
        }
        assert_eq!(buffer.expose(), expected);
        buffer.truncate(50);
        assert_eq!(buffer.expose(), &expected[..50]);
        assert_eq!(buffer.into_bytes().expose(), &expected[..50]);
    }
}
