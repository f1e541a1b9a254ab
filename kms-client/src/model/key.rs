//! Keys, and what using one answers.

use std::collections::BTreeMap;
use std::time::Duration;

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
    /// By its name, or an alias of it.
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

/// What a key is made of, and so what it is for. Fixed when the key is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyType {
    /// Encrypts, decrypts and wraps data keys.
    #[default]
    Aes256Gcm,
    /// Makes and verifies message authentication codes of 32 bytes.
    HmacSha256,
    /// Signs and verifies; a signature has 64 bytes (RFC 8032).
    Ed25519,
    /// Signs and verifies with SHA-256; a signature is DER, at most 72 bytes (FIPS 186-5).
    EcdsaP256,
}

impl KeyType {
    /// All types.
    pub const ALL: [Self; 4] = [
        Self::Aes256Gcm,
        Self::HmacSha256,
        Self::Ed25519,
        Self::EcdsaP256,
    ];

    /// Tells the word that scripts see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aes256Gcm => "aes-256-gcm",
            Self::HmacSha256 => "hmac-sha-256",
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256 => "ecdsa-p256",
        }
    }
}

/// Pairs by which operators find keys: not secret, and no part of any decision.
pub type Labels = BTreeMap<String, String>;

/// Another name of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The whole name, `alias/NAME`.
    pub name: String,
    /// Which key it means.
    pub key_id: KeyId,
    /// What that key is called.
    pub key_name: String,
    /// Previous plus one at each change; never comes twice.
    pub revision: u64,
}

/// A key to be made. `"billing".into()` asks for one of the usual type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// 1 to 128 of `a-z A-Z 0-9 / - . _`; `device/` is reserved for devices.
    pub name: String,
    /// What it shall be for.
    pub key_type: KeyType,
    /// By which operators find it; at most 16.
    pub labels: Labels,
}

impl From<&str> for NewKey {
    fn from(name: &str) -> Self {
        name.to_owned().into()
    }
}

impl From<&String> for NewKey {
    fn from(name: &String) -> Self {
        name.clone().into()
    }
}

impl From<String> for NewKey {
    fn from(name: String) -> Self {
        Self {
            name,
            key_type: KeyType::default(),
            labels: Labels::new(),
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

/// The rotation of a key by period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRotation {
    /// No version is the primary for longer.
    pub period: Duration,
    /// The next time, in milliseconds since 1970-01-01 UTC. Once it has passed, the rotation is
    /// overdue; that of a disabled key waits until the key is enabled.
    pub due_ms: u64,
}

/// What may be told about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Never reused.
    pub id: KeyId,
    /// Unique among the living; a device's key is `device/<id>`.
    pub name: String,
    /// What it is for; never changes.
    pub key_type: KeyType,
    /// Applies to all versions.
    pub state: KeyState,
    /// The version that encrypts.
    pub primary_version: KeyVersion,
    /// The lowest version that makes something new.
    pub minimum_encrypt: KeyVersion,
    /// The lowest version that is used at all.
    pub minimum_decrypt: KeyVersion,
    /// By which operators find it.
    pub labels: Labels,
    /// Its other names.
    pub aliases: Vec<String>,
    /// How often the cluster rotates it, and when next.
    pub rotation: Option<KeyRotation>,
    /// Whether its first version was brought from elsewhere, where it may still be.
    pub imported: bool,
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
        key_type: type_from_wire(key.key_type)?,
        state: state_from_wire(key.state)?,
        primary_version: KeyVersion(key.primary_version),
        // A node of a version without minima leaves them out.
        minimum_encrypt: KeyVersion(key.minimum_encrypt_version.max(1)),
        minimum_decrypt: KeyVersion(key.minimum_decrypt_version.max(1)),
        labels: key
            .labels
            .into_iter()
            .map(|it| (it.key, it.value))
            .collect(),
        aliases: key.aliases,
        rotation: key.rotation.map(|rotation| KeyRotation {
            period: Duration::from_secs(rotation.period_s.into()),
            due_ms: rotation.due_ms,
        }),
        imported: key.origin == i32::from(v1::KeyOrigin::Imported),
        versions,
        revision: key.revision,
        epoch: key.epoch,
    })
}

pub(crate) fn labels_to_wire(labels: &Labels) -> Vec<v1::Label> {
    let label = |(key, value): (&String, &String)| v1::Label {
        key: key.clone(),
        value: value.clone(),
    };
    labels.iter().map(label).collect()
}

pub(crate) fn alias_from_wire(alias: v1::Alias) -> Result<Alias, Error> {
    Ok(Alias {
        name: alias.name,
        key_id: id_from_wire("key id", &alias.key_id)?,
        key_name: alias.key_name,
        revision: alias.revision,
    })
}

pub(crate) fn type_to_wire(key_type: KeyType) -> v1::KeyType {
    match key_type {
        KeyType::Aes256Gcm => v1::KeyType::Aes256Gcm,
        KeyType::HmacSha256 => v1::KeyType::HmacSha256,
        KeyType::Ed25519 => v1::KeyType::Ed25519,
        KeyType::EcdsaP256 => v1::KeyType::EcdsaP256,
    }
}

/// A node of a version without other types leaves it out.
pub(crate) fn type_from_wire(key_type: i32) -> Result<KeyType, Error> {
    match v1::KeyType::try_from(key_type) {
        Ok(v1::KeyType::Unspecified | v1::KeyType::Aes256Gcm) => Ok(KeyType::Aes256Gcm),
        Ok(v1::KeyType::HmacSha256) => Ok(KeyType::HmacSha256),
        Ok(v1::KeyType::Ed25519) => Ok(KeyType::Ed25519),
        Ok(v1::KeyType::EcdsaP256) => Ok(KeyType::EcdsaP256),
        Err(_) => Err(malformed_answer("key type")),
    }
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
