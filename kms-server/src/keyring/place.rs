//! Where a sealed record belongs: what it holds, and its name in the state.
//! A record is opened only for the place it was sealed for, so records cannot be swapped; and apply
//! keeps it only there, which it can tell without any key.

use envelope::id::{KeyId, KeyVersion};
use envelope::record::{self, RecordHeader, RecordPurpose};

use crate::state::{ApprovalId, ImportId, KeyType, KeyUsage};

/// The place of one record in the replicated state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub(super) purpose: RecordPurpose,
    pub(super) key_type: record::KeyType,
    pub(super) key_id: KeyId,
    pub(super) key_version: KeyVersion,
    pub(super) tree: &'static str,
    pub(super) record_id: String,
    /// What is fixed for as long as the record lives, in the layout of its purpose.
    pub(super) attributes: Vec<u8>,
}

impl Place {
    /// The secret of one version of the key called `name`. The name is part of the place because
    /// policies decide on names: material that is found under another one does not open. So are
    /// the type and what it is for: a signing key never opens as one that encrypts.
    #[must_use]
    pub fn key_version(
        key_type: KeyType,
        key_id: KeyId,
        key_version: KeyVersion,
        name: &str,
    ) -> Self {
        Self {
            purpose: RecordPurpose::KeyVersion,
            key_type: sealed_type(key_type),
            key_id,
            key_version,
            tree: "keys",
            record_id: format!("{key_id}/{}", key_version.0),
            attributes: [&[sealed_usage(key_type.usage())], name.as_bytes()].concat(),
        }
    }

    /// The private key of the certificate authority.
    #[must_use]
    pub fn ca_key() -> Self {
        Self {
            key_type: record::KeyType::EcdsaP256,
            ..Self::named(RecordPurpose::CaKey, "ca", "1")
        }
    }

    /// The policy text called `name`.
    #[must_use]
    pub fn policy(name: &str) -> Self {
        Self::named(RecordPurpose::Policy, "policies", name)
    }

    /// The inventory data of a device, which belongs to the device's key.
    #[must_use]
    pub fn device(id: &str, key_id: KeyId) -> Self {
        Self {
            key_id,
            ..Self::named(RecordPurpose::DeviceMetadata, "devices", id)
        }
    }

    /// The private half of the key pair of one import.
    #[must_use]
    pub fn import(id: &ImportId) -> Self {
        Self::named(RecordPurpose::ImportKey, "imports", &hex::encode(id))
    }

    /// A request that waits for a second operator.
    #[must_use]
    pub fn approval(id: &ApprovalId) -> Self {
        Self::named(RecordPurpose::Approval, "approvals", &hex::encode(id))
    }

    /// The root, wrapped by the seal of this name.
    pub(crate) fn root_wrap(seal: &str) -> Self {
        Self::named(RecordPurpose::RootWrap, "seal", seal)
    }

    /// The key ring itself, sealed under the root.
    pub(crate) fn ring() -> Self {
        Self::named(RecordPurpose::KeyRing, "ring", "1")
    }

    fn named(purpose: RecordPurpose, tree: &'static str, record_id: &str) -> Self {
        Self {
            purpose,
            key_type: record::KeyType::NotAKey,
            key_id: KeyId::from_bytes([0; 16]),
            key_version: KeyVersion(0),
            tree,
            record_id: record_id.to_owned(),
            attributes: Vec::new(),
        }
    }

    /// Whether a record with this header was sealed for this place.
    pub(crate) fn holds(&self, header: &RecordHeader) -> bool {
        header.purpose == self.purpose
            && header.key_type == self.key_type
            && header.key_id == self.key_id
            && header.key_version == self.key_version
            && header.tree == self.tree
            && header.record_id == self.record_id
            && header.attributes == self.attributes
    }
}

/// The byte in the header of a key version's record.
pub(crate) fn sealed_type(key_type: KeyType) -> record::KeyType {
    match key_type {
        KeyType::Aes256Gcm => record::KeyType::Aes256Gcm,
        KeyType::HmacSha256 => record::KeyType::HmacSha256,
        KeyType::Ed25519 => record::KeyType::Ed25519,
        KeyType::EcdsaP256 => record::KeyType::EcdsaP256,
    }
}

/// The first attribute of a key version: what the key is for.
fn sealed_usage(usage: KeyUsage) -> u8 {
    match usage {
        KeyUsage::EncryptDecrypt => 1,
        KeyUsage::Mac => 2,
        KeyUsage::SignVerify => 3,
    }
}
