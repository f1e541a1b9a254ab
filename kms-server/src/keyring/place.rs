//! Where a sealed record belongs: what it holds, and its name in the state.
//! A record is opened only for the place it was sealed for, so records cannot be swapped.

use envelope::id::{KeyId, KeyVersion};
use envelope::record::{KeyType, RecordHeader, RecordPurpose};

/// The place of one record in the replicated state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub(super) purpose: RecordPurpose,
    pub(super) key_type: KeyType,
    pub(super) key_id: KeyId,
    pub(super) key_version: KeyVersion,
    pub(super) tree: &'static str,
    pub(super) record_id: String,
}

impl Place {
    /// The secret of one key version.
    #[must_use]
    pub fn key_version(key_id: KeyId, key_version: KeyVersion) -> Self {
        Self {
            purpose: RecordPurpose::KeyVersion,
            key_type: KeyType::Aes256Gcm,
            key_id,
            key_version,
            tree: "keys",
            record_id: format!("{key_id}/{}", key_version.0),
        }
    }

    /// The private key of the certificate authority.
    #[must_use]
    pub fn ca_key() -> Self {
        Self {
            key_type: KeyType::EcdsaP256,
            ..Self::named(RecordPurpose::CaKey, "ca", "1")
        }
    }

    /// The policy text called `name`.
    #[must_use]
    pub fn policy(name: &str) -> Self {
        Self::named(RecordPurpose::Policy, "policies", name)
    }

    /// The inventory data of a device.
    #[must_use]
    pub fn device(id: &str) -> Self {
        Self::named(RecordPurpose::DeviceMetadata, "devices", id)
    }

    /// The key ring itself, sealed under the root.
    pub(super) fn ring() -> Self {
        Self::named(RecordPurpose::KeyRing, "ring", "1")
    }

    fn named(purpose: RecordPurpose, tree: &'static str, record_id: &str) -> Self {
        Self {
            purpose,
            key_type: KeyType::NotAKey,
            key_id: KeyId::from_bytes([0; 16]),
            key_version: KeyVersion(0),
            tree,
            record_id: record_id.to_owned(),
        }
    }

    /// Whether a record with this header was sealed for this place.
    pub(super) fn holds(&self, header: &RecordHeader) -> bool {
        header.purpose == self.purpose
            && header.key_type == self.key_type
            && header.key_id == self.key_id
            && header.key_version == self.key_version
            && header.tree == self.tree
            && header.record_id == self.record_id
    }
}
