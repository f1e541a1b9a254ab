//! A sealed record as the state keeps it: the ciphertext, and the revision that it must have.

use serde::{Deserialize, Serialize};

/// A sealed record (docs/format.md). Apply keeps one only after it has looked at its clear fields;
/// whoever opens it demands the place that it is for and this revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The record's own revision: previous plus one whenever it is sealed anew. Not that of the
    /// clear fields beside it, which change without being sealed.
    pub revision: u64,
    /// The record.
    #[serde(with = "serde_bytes")]
    pub record: Vec<u8>,
}
