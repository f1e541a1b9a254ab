//! Randomness from the operating system, for keys, salts and ids of this crate.

use ring::rand::{SecureRandom, SystemRandom};

/// Fills `out` with random bytes of the operating system.
///
/// # Panics
///
/// Panics when the operating system has no randomness to give. Going on would reuse keys, and an
/// error that callers could swallow would be the more dangerous interface; Linux itself never fails
/// here once it has booted.
pub(crate) fn fill(out: &mut [u8]) {
    if SystemRandom::new().fill(out).is_err() {
        panic!("the operating system gave no random bytes");
    }
}

/// Returns `N` random bytes, for values that are not secret: salts and ids.
pub(crate) fn array<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}
