//! Aliases and labels of keys, as stored.

use std::collections::BTreeMap;

use envelope::id::KeyId;
use serde::{Deserialize, Serialize};

/// Pairs that operators find keys by, and that policies may decide by. Not secret.
pub type Labels = BTreeMap<String, String>;

/// A second name of a key, `alias/NAME`. One that was deleted stays as a tombstone, so that a
/// revision of it never comes a second time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasRecord {
    /// The whole name.
    pub name: String,
    /// Previous plus one at each change.
    pub revision: u64,
    /// Whose name it is; none once it was deleted.
    #[serde(with = "super::wire::optional_id16")]
    pub key_id: Option<KeyId>,
}
