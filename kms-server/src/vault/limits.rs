//! Every bound of the vault, in one place.

use std::time::Duration;

/// Unwrapped key versions kept; the oldest makes room.
pub(super) const CACHE_ENTRIES_MAX: usize = 4_096;
/// How long an unwrapped key version is kept, used or not.
pub(super) const CACHE_AGE_MAX: Duration = Duration::from_secs(60);
/// Bytes of a message that is signed or authenticated.
pub const MESSAGE_BYTES_MAX: usize = 4_096;
/// Random bytes made by one call.
pub const RANDOM_BYTES_MAX: u32 = 1_024;
/// Data keys made by one call.
pub const DATA_KEYS_MAX: u32 = 1_000;

/// How long and for how much a data key may be kept by who got it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// Milliseconds from the moment the request was sent.
    pub max_age_ms: u64,
    /// Objects sealed or opened.
    pub max_objects: u64,
    /// Plaintext bytes sealed or opened.
    pub max_bytes: u64,
}

/// What this cluster allows: an hour, 2^20 objects, 64 GiB, whichever comes first.
pub const CACHE_LIMITS: CacheLimits = CacheLimits {
    max_age_ms: 60 * 60 * 1_000,
    max_objects: 1 << 20,
    max_bytes: 64 << 30,
};
