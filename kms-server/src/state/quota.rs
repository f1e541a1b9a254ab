//! Quotas, as stored: how much an identity may use keys. What was used is not here: each node
//! counts it for itself.

use serde::{Deserialize, Serialize};

use super::Role;

/// What is counted. New variants go to the end: their numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum QuotaClass {
    /// What is opened.
    Opens,
    /// Data keys that are made.
    Makes,
    /// All uses of keys.
    Uses,
}

impl QuotaClass {
    /// The word in sentences and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Opens => "opens",
            Self::Makes => "makes",
            Self::Uses => "uses",
        }
    }
}

/// So much, in any time of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaLimit {
    /// What is counted.
    pub class: QuotaClass,
    /// At most so many, by the whole cluster.
    pub amount: u32,
    /// In any time of so many seconds.
    pub window_s: u32,
}

/// The quota of one identity, or of a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaRecord {
    /// What it is.
    pub role: Role,
    /// Which one; empty for all of the role that have none of their own.
    pub id: String,
    /// Previous plus one at each change.
    pub revision: u64,
    /// All of them hold.
    pub limits: Vec<QuotaLimit>,
}
