//! Rewrapping: a wrapped data key moves to another version of its own key, under its own context.
//! Nothing of it leaves the vault.

use envelope::blob::{self, BlobHeader, Purpose};
use envelope::context::EncryptionContext;
use envelope::secret::SecretBytes;
use subtle::ConstantTimeEq;

use super::data_key::data_key_id;
use super::{KeyUse, Vault, VaultError};
use crate::policy::{Action, Authorized};

/// A wrapped data key, and the version of the key that it names.
pub struct Wrapped<'a> {
    /// That version.
    pub key: KeyUse<'a>,
    /// The ciphertext blob.
    pub blob: &'a [u8],
}

impl Vault {
    /// Opens a wrapped data key and wraps it under `to`, another version of the same key. One that
    /// is under that version is answered as it is, once it has opened.
    ///
    /// # Errors
    /// [`VaultError::OpenFailed`] for whatever is wrong with it, and for another key.
    pub fn rewrap(
        &self,
        authorized: &Authorized,
        from: &Wrapped<'_>,
        to: &KeyUse<'_>,
        context: &EncryptionContext,
    ) -> Result<Vec<u8>, VaultError> {
        if from.key.key_id != to.key_id {
            return Err(VaultError::OpenFailed);
        }
        let data_key = self.opened(authorized, from, context)?;
        if from.key.version == to.version {
            return Ok(from.blob.to_vec());
        }
        let material = self.material(to)?;
        Ok(blob::seal(
            material.cipher()?,
            to.key_id,
            to.version,
            Purpose::WrappedDataKey,
            context,
            data_key.expose(),
        )?)
    }

    /// Opens two wrapped data keys and says whether they hold the same one.
    ///
    /// # Errors
    /// [`VaultError::OpenFailed`] when one of them does not open, or they differ.
    pub fn check_same_data_key(
        &self,
        authorized: &Authorized,
        one: &Wrapped<'_>,
        other: &Wrapped<'_>,
        context: &EncryptionContext,
    ) -> Result<(), VaultError> {
        let one = self.opened(authorized, one, context)?;
        let other = self.opened(authorized, other, context)?;
        match bool::from(one.expose().ct_eq(other.expose())) {
            true => Ok(()),
            false => Err(VaultError::OpenFailed),
        }
    }

    fn opened(
        &self,
        authorized: &Authorized,
        wrapped: &Wrapped<'_>,
        context: &EncryptionContext,
    ) -> Result<SecretBytes, VaultError> {
        let Wrapped { key, blob } = wrapped;
        key.check(authorized, Action::RewrapDataKeys)?;
        let header = BlobHeader::parse(blob).map_err(|_| VaultError::OpenFailed)?;
        if header.purpose != Purpose::WrappedDataKey {
            return Err(VaultError::OpenFailed);
        }
        data_key_id(context, key.device)?;
        self.open(key, Purpose::WrappedDataKey, context, blob)
    }
}
