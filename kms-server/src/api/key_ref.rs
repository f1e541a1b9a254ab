//! Finds the key that a request means, and whether it may be used now.

use envelope::id::{KeyId, KeyVersion};
use kms_client::reason::Reason;
use ward_proto::v1::KeyRef;
use ward_proto::v1::key_ref::By;

use crate::api::failure::Failure;
use crate::policy::{DeviceRef, Resource};
use crate::replica::ReadBarrier;
use crate::state::{
    DeviceState, Index, KeyRecord, KeyState, KeyTraits, KeyType, KeyUsage, Labels, Sealed,
};
use crate::vault::{KeyUse, VaultError};

/// A key version as the index held it behind a read barrier; a copy, so that the index is free
/// while the vault works.
pub(crate) struct FoundKey {
    pub(crate) key_id: KeyId,
    pub(crate) name: String,
    pub(crate) version: KeyVersion,
    pub(crate) key_type: KeyType,
    /// Moves at each change of the key.
    pub(crate) revision: u64,
    epoch: u64,
    key_state: KeyState,
    version_state: KeyState,
    traits: KeyTraits,
    sealed: Sealed,
    device: Option<Device>,
    labels: Option<Labels>,
}

/// The device whose key it is.
struct Device {
    id: String,
    gateway: Option<String>,
    revoked: bool,
}

/// Which version of a key is meant.
#[derive(Clone, Copy)]
enum Which {
    /// The one that encrypts now.
    Primary,
    /// The one that a blob or a request names.
    Exactly(KeyVersion),
}

/// A key of which one version was asked for. Permission is asked for the key, before anybody learns
/// which versions it has.
pub(crate) enum Asked {
    /// At this version.
    There(FoundKey),
    /// At its primary, for it has no such version.
    Missing(FoundKey),
}

impl Asked {
    fn of(index: &Index, key: &KeyRecord, version: KeyVersion) -> Option<Self> {
        match FoundKey::of(index, key, Which::Exactly(version)) {
            Some(found) => Some(Self::There(found)),
            None => FoundKey::of(index, key, Which::Primary).map(Self::Missing),
        }
    }
}

impl FoundKey {
    /// Finds the key of a reference; `_barrier` proves that the index is fresh.
    ///
    /// # Errors
    /// KEY_NOT_FOUND, or INVALID_ARGUMENT for an empty reference.
    pub(crate) fn by_ref(
        index: &Index,
        _barrier: &ReadBarrier,
        key: Option<&KeyRef>,
    ) -> Result<Self, Failure> {
        let record = lookup(index, key)?;
        Self::of(index, record, Which::Primary).ok_or_else(not_found)
    }

    /// Finds the key of a reference, for one of its versions; 0 means the primary.
    ///
    /// # Errors
    /// As [`Self::by_ref`].
    pub(crate) fn by_version(
        index: &Index,
        barrier: &ReadBarrier,
        key: Option<&KeyRef>,
        version: u32,
    ) -> Result<Asked, Failure> {
        if version == 0 {
            let found = Self::by_ref(index, barrier, key)?;
            return Ok(Asked::There(found));
        }
        let record = lookup(index, key)?;
        Asked::of(index, record, KeyVersion(version)).ok_or_else(not_found)
    }

    /// Finds the key that a blob names, for the version that it names; none when there is no such
    /// key.
    pub(crate) fn by_blob(
        index: &Index,
        _barrier: &ReadBarrier,
        key_id: KeyId,
        version: KeyVersion,
    ) -> Option<Asked> {
        Asked::of(index, index.key(&key_id)?, version)
    }

    /// The primary version of a key, for verbs that only tell about it.
    pub(crate) fn of_primary(index: &Index, key: &KeyRecord) -> Option<Self> {
        Self::of(index, key, Which::Primary)
    }

    fn of(index: &Index, key: &KeyRecord, which: Which) -> Option<Self> {
        let version = match which {
            Which::Primary => key.primary_version(),
            Which::Exactly(version) => version,
        };
        let stored = index.key_version(&key.key_id, version)?;
        let traits = index.key_traits(&key.key_id);
        Some(Self {
            key_id: key.key_id,
            name: key.name.clone(),
            version,
            key_type: traits.key_type,
            revision: key.revision,
            epoch: key.epoch,
            key_state: key.state,
            version_state: stored.state,
            traits,
            sealed: stored.sealed.clone(),
            device: device_of(index, key),
            labels: index.key_labels(&key.key_id).cloned(),
        })
    }

    /// The key in the words of the policies.
    pub(crate) fn resource(&self) -> Resource<'_> {
        let device = self.device.as_ref().map(|device| DeviceRef {
            id: &device.id,
            gateway: device.gateway.as_deref(),
        });
        Resource::Key {
            name: &self.name,
            device,
            labels: self.labels.as_ref(),
        }
    }

    /// The key for the vault, to be used so.
    ///
    /// # Errors
    /// KEY_DISABLED, KEY_USAGE, VERSION_DISABLED, VERSION_TOO_OLD.
    pub(crate) fn usable(&self, usage: KeyUsage) -> Result<KeyUse<'_>, Failure> {
        if self.key_state == KeyState::Disabled {
            return Err(disabled());
        }
        let own = self.key_type.usage();
        if own != usage {
            return Err(VaultError::KeyUsage { usage: own }.into());
        }
        if self.version_state == KeyState::Disabled {
            return Err(self.version_disabled());
        }
        self.check_minimum(self.traits.minimum_decrypt)?;
        Ok(KeyUse {
            name: &self.name,
            key_id: self.key_id,
            key_type: self.key_type,
            version: self.version,
            epoch: self.epoch,
            sealed: &self.sealed,
            device: self.device.as_ref().map(|device| device.id.as_str()),
        })
    }

    /// The key for the vault, to make something new: nothing more is kept of a revoked device.
    ///
    /// # Errors
    /// DEVICE_REVOKED, or as [`Self::usable`].
    pub(crate) fn sealable(&self, usage: KeyUsage) -> Result<KeyUse<'_>, Failure> {
        if self.device.as_ref().is_some_and(|device| device.revoked) {
            let message = "the device was revoked: its key opens what there is, and seals no more";
            return Err(Failure::new(Reason::DeviceRevoked, message));
        }
        let usable = self.usable(usage)?;
        self.check_minimum(self.traits.minimum_encrypt)?;
        Ok(usable)
    }

    fn check_minimum(&self, minimum: u32) -> Result<(), Failure> {
        if self.version.0 >= minimum {
            return Ok(());
        }
        let message = format!(
            "version {} is below the minimum for this, version {minimum}; use a newer one, or let \
             an operator lower the minimum",
            self.version.0
        );
        Err(Failure::new(Reason::VersionTooOld, message))
    }

    fn version_disabled(&self) -> Failure {
        let message = format!(
            "version {} of the key is disabled; enable it, or rotate the key for a new one",
            self.version.0
        );
        Failure::new(Reason::VersionDisabled, message)
    }

    /// Compares the key's epoch once more, after the audit record is durable and just before the
    /// answer: a disablement or a revocation applied meanwhile counts.
    ///
    /// # Errors
    /// KEY_DISABLED, KEY_NOT_FOUND when the key is gone, or EPOCH_MOVED when only asking again
    /// tells whether it may still be used so.
    pub(crate) fn still_usable(&self, index: &Index) -> Result<(), Failure> {
        let key = index.key(&self.key_id).ok_or_else(not_found)?;
        if key.state != KeyState::Enabled {
            return Err(disabled());
        }
        if key.epoch != self.epoch {
            let message = "the key was changed meanwhile; repeat";
            return Err(Failure::new(Reason::EpochMoved, message));
        }
        Ok(())
    }
}

/// Finds the record of a reference.
///
/// # Errors
/// KEY_NOT_FOUND, or INVALID_ARGUMENT for an empty or malformed reference.
pub(crate) fn lookup<'a>(index: &'a Index, key: Option<&KeyRef>) -> Result<&'a KeyRecord, Failure> {
    match key.and_then(|key| key.by.as_ref()) {
        Some(By::KeyId(id)) => {
            let id = KeyId::try_from(id.as_ref())
                .map_err(|_| Failure::invalid("a key id has 16 bytes"))?;
            index.key(&id).ok_or_else(not_found)
        }
        Some(By::Name(name)) => index.key_by_name_or_alias(name).ok_or_else(not_found),
        None => Err(Failure::invalid("name a key, by its id or its name")),
    }
}

/// The device a key belongs to, by both their records.
fn device_of(index: &Index, key: &KeyRecord) -> Option<Device> {
    let device = index.device(key.name.strip_prefix("device/")?)?;
    let gateway = (!device.gateway.is_empty()).then(|| device.gateway.clone());
    (device.key_id == key.key_id).then(|| Device {
        id: device.device_id.clone(),
        gateway,
        revoked: device.state == DeviceState::Revoked,
    })
}

fn not_found() -> Failure {
    Failure::new(
        Reason::KeyNotFound,
        "no such key; list the keys for what there is",
    )
}

fn disabled() -> Failure {
    Failure::new(Reason::KeyDisabled, "the key is disabled; enable it first")
}
