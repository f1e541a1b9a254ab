//! Answers kept for 24 hours, so that a repeated write gets the first answer.

use serde::{Deserialize, Serialize};

use crate::command::Outcome;

/// How long an answer is kept, by the state's clock.
pub const KEPT_MS: u64 = 24 * 60 * 60 * 1000;

/// The first answer to a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyRecord {
    /// SHA-256 of the request as the caller meant it; another request under the same key is
    /// refused.
    pub request_sha256: [u8; 32],
    /// The log index of the first answer.
    pub index: u64,
    /// The answer.
    pub outcome: Outcome,
    /// By the state's clock.
    pub expires_ms: u64,
}
