//! Aliases and labels of keys, as stored.

use std::collections::BTreeMap;

use envelope::id::KeyId;
use serde::{Deserialize, Serialize};

/// Pairs that operators find keys by. Not secret, and no part of any decision.
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
    #[serde(with = "optional_id")]
    pub key_id: Option<KeyId>,
}

/// As `wire::id16`, of an id that may be missing.
mod optional_id {
    use envelope::id::KeyId;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(id: &Option<KeyId>, s: S) -> Result<S::Ok, S::Error> {
        id.as_ref().map(KeyId::as_bytes).serialize(s)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<KeyId>, D::Error> {
        Ok(Option::<[u8; 16]>::deserialize(d)?.map(KeyId::from_bytes))
    }
}
