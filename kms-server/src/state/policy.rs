//! Policies, as stored: sealed text under a clear name.

use serde::{Deserialize, Serialize};

use super::Sealed;

/// One policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRecord {
    /// Its name.
    pub policy_id: String,
    /// Previous plus one at each change.
    pub revision: u64,
    /// The text: a sealed record of purpose policy, of the same revision.
    pub sealed: Sealed,
}
