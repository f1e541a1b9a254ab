//! Keys, and what using one answers.

use bytes::Bytes;
use envelope::id::{KeyId, KeyVersion};
use envelope::secret::SecretBytes;
use ward_proto::v1;

use super::{id_from_wire, malformed_answer};
use crate::error::Error;

/// Names a key in a request. `"billing".into()` names it by its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeySelector {
    /// By its id, which never changes hands.
    Id(KeyId),
    /// By its name.
    Name(String),
}

impl KeySelector {
    /// Names the key of a device, `device/<id>`.
    #[must_use]
    pub fn device(device_id: &str) -> Self {
        Self::Name(format!("device/{device_id}"))
    }
}

impl From<&str> for KeySelector {
    fn from(name: &str) -> Self {
        Self::Name(name.into())
    }
}

impl From<String> for KeySelector {
    fn from(name: String) -> Self {
        Self::Name(name)
    }
}

impl From<KeyId> for KeySelector {
    fn from(id: KeyId) -> Self {
        Self::Id(id)
    }
}

impl From<&Self> for KeySelector {
    fn from(selector: &Self) -> Self {
        selector.clone()
    }
}

/// The state of a key or of one of its versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// Encrypts and decrypts.
    Enabled,
    /// Refuses every use until it is enabled again.
    Disabled,
}

impl KeyState {
    /// Tells the word that scripts see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }
}

/// One version of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyVersionInfo {
    /// Counts from 1.
    pub version: KeyVersion,
    /// Its own state; it is usable only while the key is enabled too.
    pub state: KeyState,
    /// When it was made, in milliseconds since 1970-01-01 UTC, by the leader's clock.
    pub created_ms: u64,
}

/// What may be told about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Never reused.
    pub id: KeyId,
    /// Unique among the living; a device's key is `device/<id>`.
    pub name: String,
    /// Applies to all versions.
    pub state: KeyState,
    /// The version that encrypts.
    pub primary_version: KeyVersion,
    /// All versions, oldest first.
    pub versions: Vec<KeyVersionInfo>,
    /// Previous revision plus one at each change.
    pub revision: u64,
    /// Moves whenever a use that was allowed becomes refused.
    pub epoch: u64,
}

/// What `encrypt` and `re_encrypt` answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encrypted {
    /// The ciphertext blob; it names its key.
    pub blob: Vec<u8>,
    /// Which key was used.
    pub key_id: KeyId,
    /// Which version was used.
    pub key_version: KeyVersion,
}

/// What `decrypt` answers.
pub struct Decrypted {
    /// The plaintext.
    pub plaintext: SecretBytes,
    /// Which key was used.
    pub key_id: KeyId,
    /// Which version was used.
    pub key_version: KeyVersion,
}

pub(crate) fn selector_to_wire(selector: &KeySelector) -> v1::KeyRef {
    let by = match selector {
        KeySelector::Id(id) => v1::key_ref::By::KeyId(Bytes::copy_from_slice(id.as_bytes())),
        KeySelector::Name(name) => v1::key_ref::By::Name(name.clone()),
    };
    v1::KeyRef { by: Some(by) }
}

pub(crate) fn key_from_wire(key: Option<v1::Key>) -> Result<Key, Error> {
    let key = key.ok_or_else(|| malformed_answer("key"))?;
    let versions = key
        .versions
        .into_iter()
        .map(version_from_wire)
        .collect::<Result<_, _>>()?;
    Ok(Key {
        id: id_from_wire("key id", &key.key_id)?,
        name: key.name,
        state: state_from_wire(key.state)?,
        primary_version: KeyVersion(key.primary_version),
        versions,
        revision: key.revision,
        epoch: key.epoch,
    })
}

pub(super) fn state_from_wire(state: i32) -> Result<KeyState, Error> {
    match v1::KeyState::try_from(state) {
        Ok(v1::KeyState::Enabled) => Ok(KeyState::Enabled),
        Ok(v1::KeyState::Disabled) => Ok(KeyState::Disabled),
        Ok(v1::KeyState::Unspecified) | Err(_) => Err(malformed_answer("key state")),
    }
}

fn version_from_wire(version: v1::KeyVersion) -> Result<KeyVersionInfo, Error> {
    Ok(KeyVersionInfo {
        version: KeyVersion(version.version),
        state: state_from_wire(version.state)?,
        created_ms: version.created_ms,
    })
}
