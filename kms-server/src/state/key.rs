//! Keys and their versions, as stored: clear metadata beside finished ciphertext.

use envelope::id::{KeyId, KeyVersion};
use serde::{Deserialize, Serialize};

use super::Sealed;

/// Whether a key or version may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    /// Encrypts and decrypts.
    Enabled,
    /// Refuses every use until enabled again.
    Disabled,
}

/// A key without its material.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Never reused.
    #[serde(with = "super::wire::id16")]
    pub key_id: KeyId,
    /// Unique among the living.
    pub name: String,
    /// Applies to all versions.
    pub state: KeyState,
    /// The number of the version that encrypts; versions count from 1 without holes.
    pub primary: u32,
    /// Previous plus one at each change.
    pub revision: u64,
    /// Moves whenever a use that was allowed becomes refused.
    pub epoch: u64,
    /// By the state's clock.
    pub created_ms: u64,
}

impl KeyRecord {
    /// The version that encrypts.
    pub fn primary_version(&self) -> KeyVersion {
        KeyVersion(self.primary)
    }
}

/// One version of a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRecord {
    /// Counts from 1.
    pub version: u32,
    /// Usable only while the key is enabled too.
    pub state: KeyState,
    /// By the state's clock.
    pub created_ms: u64,
    /// Its secret: a sealed record of purpose key version.
    pub sealed: Sealed,
}
