//! ReEncrypt: from one key version to another; the plaintext never leaves the vault.

use envelope::blob::{self, BlobHeader, Purpose};
use envelope::context::EncryptionContext;
use envelope::context::reserved::PREFIX;

use super::data::refuse_reserved;
use super::data_key::data_key_id;
use super::{KeyUse, Vault, VaultError};
use crate::policy::{Action, Authorized};

/// Where a blob comes from.
pub struct Source<'a> {
    /// The proof for `ReEncryptFrom` on the key.
    pub authorized: &'a Authorized,
    /// The key and version that the blob names.
    pub key: KeyUse<'a>,
    /// What the blob was sealed under.
    pub context: &'a EncryptionContext,
    /// The blob.
    pub blob: &'a [u8],
}

/// Where it goes.
pub struct Destination<'a> {
    /// The proof for `ReEncryptTo` on the key.
    pub authorized: &'a Authorized,
    /// The key and its primary version.
    pub key: KeyUse<'a>,
    /// What the new blob is to be sealed under.
    pub context: &'a EncryptionContext,
}

impl Vault {
    /// Opens the source and seals it for the destination, with the same purpose.
    ///
    /// A wrapped data key keeps its `ward:` pairs, and with them its id, kind and device: it can
    /// move to a new version of its key, or between keys that belong to the same device or none.
    ///
    /// # Errors
    /// [`VaultError::OpenFailed`] for whatever is wrong with the source;
    /// [`VaultError::ContextMoved`] or [`VaultError::ReservedContext`] for the destination.
    pub fn re_encrypt(
        &self,
        source: &Source<'_>,
        destination: &Destination<'_>,
    ) -> Result<Vec<u8>, VaultError> {
        source.key.check(source.authorized, Action::ReEncryptFrom)?;
        destination
            .key
            .check(destination.authorized, Action::ReEncryptTo)?;
        let header = BlobHeader::parse(source.blob).map_err(|_| VaultError::OpenFailed)?;
        match header.purpose {
            Purpose::Data => refuse_reserved(destination.context)?,
            Purpose::WrappedDataKey => {
                data_key_id(source.context, source.key.device)?;
                let kept = reserved_pairs(source.context).eq(reserved_pairs(destination.context));
                if !kept || source.key.device != destination.key.device {
                    return Err(VaultError::ContextMoved);
                }
            }
        }
        let plaintext = self.open(&source.key, header.purpose, source.context, source.blob)?;
        let to = &destination.key;
        let material = self.material(to)?;
        let (purpose, context) = (header.purpose, destination.context);
        Ok(blob::seal(
            material.cipher()?,
            to.key_id,
            to.version,
            purpose,
            context,
            plaintext.expose(),
        )?)
    }
}

fn reserved_pairs(context: &EncryptionContext) -> impl Iterator<Item = (&str, &str)> {
    context.iter().filter(|(key, _)| key.starts_with(PREFIX))
}
