//! Data keys: made here, wrapped under a key version in blobs of purpose 1, used elsewhere.
//!
//! A data key's context says which one it is (`ward:dk`), what for (`ward:kind`) and whose
//! (`ward:device`). The vault writes these pairs and checks them before it opens one again.

use std::str::FromStr;

use envelope::blob::{self, Purpose};
use envelope::context::{EncryptionContext, reserved};
use envelope::id::DataKeyId;
use envelope::secret::SecretKey;

use super::data::refuse_reserved;
use super::{DATA_KEYS_MAX, KeyUse, Vault, VaultError, Withheld};
use crate::policy::{Action, Authorized};

/// What a data key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKeyKind {
    /// Objects of an archive.
    Object,
    /// One stand-alone stream.
    Stream,
}

impl DataKeyKind {
    /// The value of `ward:kind`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Stream => "stream",
        }
    }

    /// Reads the value of `ward:kind`; empty means `object`, as on the wire.
    ///
    /// # Errors
    /// [`VaultError::Kind`].
    pub fn parse(name: &str) -> Result<Self, VaultError> {
        match name {
            "" | "object" => Ok(Self::Object),
            "stream" => Ok(Self::Stream),
            _ => Err(VaultError::Kind),
        }
    }
}

/// A new data key with its plaintext.
pub struct DataKey {
    /// Its id, also in the context.
    pub id: DataKeyId,
    /// The key.
    pub plaintext: SecretKey,
    /// The blob.
    pub wrapped: Vec<u8>,
    /// The whole context it is wrapped under.
    pub context: EncryptionContext,
}

/// A new data key whose plaintext is gone already.
pub struct WrappedDataKey {
    /// Its id, also in the context.
    pub id: DataKeyId,
    /// The blob.
    pub wrapped: Vec<u8>,
    /// The whole context it is wrapped under.
    pub context: EncryptionContext,
}

/// A data key, opened again.
pub struct UnwrappedDataKey {
    /// Its id, as its context says.
    pub id: DataKeyId,
    /// The key.
    pub plaintext: SecretKey,
}

impl Vault {
    /// Makes `count` data keys; all or none.
    ///
    /// # Errors
    /// [`VaultError::Count`], [`VaultError::ReservedContext`] or [`VaultError::Format`] for bad
    /// input; a fault of the node otherwise.
    pub fn generate_data_keys(
        &self,
        authorized: &Authorized,
        key: &KeyUse<'_>,
        kind: DataKeyKind,
        context: &EncryptionContext,
        count: u32,
    ) -> Result<Withheld<Vec<DataKey>>, VaultError> {
        key.check(authorized, Action::GenerateDataKey)?;
        self.make_data_keys(key, kind, context, count)
            .map(Withheld::new)
    }

    /// Makes `count` data keys and shows only their wrapped form; all or none.
    ///
    /// # Errors
    /// As [`generate_data_keys`](Self::generate_data_keys).
    pub fn generate_wrapped_data_keys(
        &self,
        authorized: &Authorized,
        key: &KeyUse<'_>,
        kind: DataKeyKind,
        context: &EncryptionContext,
        count: u32,
    ) -> Result<Vec<WrappedDataKey>, VaultError> {
        key.check(authorized, Action::GenerateDataKeyWithoutPlaintext)?;
        let keys = self.make_data_keys(key, kind, context, count)?;
        Ok(keys
            .into_iter()
            .map(
                |DataKey {
                     id,
                     wrapped,
                     context,
                     ..
                 }| WrappedDataKey {
                    id,
                    wrapped,
                    context,
                },
            )
            .collect())
    }

    /// Opens a wrapped data key; `context` is the whole one it was wrapped under.
    ///
    /// # Errors
    /// [`VaultError::OpenFailed`], whatever about the request is wrong.
    pub fn unwrap_data_key(
        &self,
        authorized: &Authorized,
        key: &KeyUse<'_>,
        context: &EncryptionContext,
        wrapped: &[u8],
    ) -> Result<Withheld<UnwrappedDataKey>, VaultError> {
        key.check(authorized, Action::UnwrapDataKey)?;
        let id = data_key_id(context, key.device)?;
        let plaintext = self.open(key, Purpose::WrappedDataKey, context, wrapped)?;
        let plaintext =
            SecretKey::from_slice(plaintext.expose()).map_err(|_| VaultError::OpenFailed)?;
        Ok(Withheld::new(UnwrappedDataKey { id, plaintext }))
    }

    fn make_data_keys(
        &self,
        key: &KeyUse<'_>,
        kind: DataKeyKind,
        context: &EncryptionContext,
        count: u32,
    ) -> Result<Vec<DataKey>, VaultError> {
        if !(1..=DATA_KEYS_MAX).contains(&count) {
            return Err(VaultError::Count { asked: count });
        }
        refuse_reserved(context)?;
        let mut context = context.clone();
        context.insert_reserved(reserved::KIND, kind.name())?;
        if let Some(device) = key.device {
            context.insert_reserved(reserved::DEVICE, device)?;
        }
        let material = self.material(key)?;
        let secret = material.cipher()?;
        (0..count)
            .map(|_| wrap_new(secret, key, context.clone()))
            .collect()
    }
}

fn wrap_new(
    secret: &SecretKey,
    key: &KeyUse<'_>,
    mut context: EncryptionContext,
) -> Result<DataKey, VaultError> {
    let id = DataKeyId::random();
    context.insert_reserved(reserved::DATA_KEY, id.to_string())?;
    let plaintext = SecretKey::generate();
    let purpose = Purpose::WrappedDataKey;
    let wrapped = blob::seal(
        secret,
        key.key_id,
        key.version,
        purpose,
        &context,
        plaintext.expose(),
    )?;
    Ok(DataKey {
        id,
        plaintext,
        wrapped,
        context,
    })
}

/// The data key that `context` names, if it is a data key's context and of this device's key.
pub(super) fn data_key_id(
    context: &EncryptionContext,
    device: Option<&str>,
) -> Result<DataKeyId, VaultError> {
    let id = context
        .get(reserved::DATA_KEY)
        .ok_or(VaultError::OpenFailed)?;
    let kind = context.get(reserved::KIND).ok_or(VaultError::OpenFailed)?;
    if kind.is_empty()
        || DataKeyKind::parse(kind).is_err()
        || context.get(reserved::DEVICE) != device
    {
        return Err(VaultError::OpenFailed);
    }
    DataKeyId::from_str(id).map_err(|_| VaultError::OpenFailed)
}
