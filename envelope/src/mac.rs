//! HMAC-SHA-256 under a key version's secret: what GenerateMac and VerifyMac do.
//!
//! The tag is over the caller's message as it is. ring does not wipe its keys, so the stack below
//! is wiped after each use.

use ring::hmac::{HMAC_SHA256, Key};

use crate::{VerifyFailed, secret::SecretKey, wipe};

/// Bytes of a tag.
pub const MAC_BYTES: usize = 32;

/// Computes the tag of `message`.
pub fn generate(key: &SecretKey, message: &[u8]) -> [u8; MAC_BYTES] {
    let mac = tag(key.expose(), message);
    wipe::stack();
    mac
}

/// Compares `mac` with the tag of `message`, in a time that does not depend on where they differ.
///
/// # Errors
///
/// Returns [`VerifyFailed`], whatever is wrong; also for a tag that is cut.
pub fn verify(key: &SecretKey, message: &[u8], mac: &[u8]) -> Result<(), VerifyFailed> {
    let verified = compare(key.expose(), message, mac);
    wipe::stack();
    verified
}

/// A call of its own, so that its frame, with ring's key in it, lies where the wipe reaches.
#[inline(never)]
pub(crate) fn tag(key: &[u8], message: &[u8]) -> [u8; MAC_BYTES] {
    let tag = ring::hmac::sign(&Key::new(HMAC_SHA256, key), message);
    tag.as_ref()
        .try_into()
        .expect("an HMAC-SHA-256 tag has 32 bytes")
}

/// As [`tag`].
#[inline(never)]
pub(crate) fn compare(key: &[u8], message: &[u8], mac: &[u8]) -> Result<(), VerifyFailed> {
    ring::hmac::verify(&Key::new(HMAC_SHA256, key), message, mac).map_err(|_| VerifyFailed)
}
