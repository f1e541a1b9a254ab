//! Encrypt and Decrypt: small values under a key version, in blobs of purpose 2.

use envelope::blob::{self, BlobHeader, Purpose};
use envelope::context::EncryptionContext;
use envelope::context::reserved::PREFIX;
use envelope::secret::SecretBytes;

use super::{KeyUse, Vault, VaultError, Withheld};
use crate::policy::{Action, Authorized};

impl Vault {
    /// Encrypts at most 4 096 bytes.
    ///
    /// # Errors
    /// [`VaultError::Format`] or [`VaultError::ReservedContext`] for bad input; a fault of the
    /// node otherwise.
    pub fn encrypt(
        &self,
        authorized: &Authorized,
        key: &KeyUse<'_>,
        context: &EncryptionContext,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        key.check(authorized, Action::Encrypt)?;
        refuse_reserved(context)?;
        let material = self.material(key)?;
        Ok(blob::seal(
            material.cipher()?,
            key.key_id,
            key.version,
            Purpose::Data,
            context,
            plaintext,
        )?)
    }

    /// Decrypts what [`encrypt`](Self::encrypt) made, and nothing else.
    ///
    /// # Errors
    /// [`VaultError::OpenFailed`], whatever about the request is wrong.
    pub fn decrypt(
        &self,
        authorized: &Authorized,
        key: &KeyUse<'_>,
        context: &EncryptionContext,
        blob: &[u8],
    ) -> Result<Withheld<SecretBytes>, VaultError> {
        key.check(authorized, Action::Decrypt)?;
        self.open(key, Purpose::Data, context, blob)
            .map(Withheld::new)
    }

    /// Opens a blob of `purpose` that names this very key and version.
    pub(super) fn open(
        &self,
        key: &KeyUse<'_>,
        purpose: Purpose,
        context: &EncryptionContext,
        blob: &[u8],
    ) -> Result<SecretBytes, VaultError> {
        let header = BlobHeader::parse(blob).map_err(|_| VaultError::OpenFailed)?;
        if header.key_id != key.key_id || header.key_version != key.version {
            return Err(VaultError::OpenFailed);
        }
        let material = self.material(key)?;
        Ok(blob::open(material.cipher()?, purpose, context, blob)?)
    }
}

/// Callers' contexts never speak in Ward's name.
pub(super) fn refuse_reserved(context: &EncryptionContext) -> Result<(), VaultError> {
    if context.iter().any(|(key, _)| key.starts_with(PREFIX)) {
        return Err(VaultError::ReservedContext);
    }
    Ok(())
}
