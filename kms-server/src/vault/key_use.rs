//! The key a call uses, as plain data from the memory index.

use envelope::id::{KeyId, KeyVersion};

use super::VaultError;
use crate::keyring::RecordError;
use crate::policy::{Action, Authorized};
use crate::state::{KeyType, Sealed};

/// One version of a key, with all that the vault needs to know of it.
#[derive(Clone, Copy)]
pub struct KeyUse<'a> {
    /// The key's name, which authorization speaks about.
    pub name: &'a str,
    /// The key.
    pub key_id: KeyId,
    /// What kind of key it is; material of another type does not open.
    pub key_type: KeyType,
    /// The version to use: the primary to encrypt, the blob's to decrypt.
    pub version: KeyVersion,
    /// The key's epoch; cached material of another epoch is not found.
    pub epoch: u64,
    /// The version's sealed record.
    pub sealed: &'a Sealed,
    /// The device whose key it is.
    pub device: Option<&'a str>,
}

impl KeyUse<'_> {
    /// The material opened and is no key of its type.
    pub(super) fn damaged(&self, error: envelope::FormatError) -> VaultError {
        VaultError::material(self.key_id, self.version, RecordError::Format(error))
    }

    /// Checks that `authorized` is the proof for `action` on this key.
    pub(super) fn check(&self, authorized: &Authorized, action: Action) -> Result<(), VaultError> {
        if authorized.covers(action, self.name) {
            Ok(())
        } else {
            Err(VaultError::NotAuthorized)
        }
    }
}
