//! Key versions: making a new one's material, and unwrapping one for use.

use std::sync::Arc;

use envelope::FormatError;
use envelope::id::{KeyId, KeyVersion};
use envelope::secret::{SecretBytes, SecretKey};
use envelope::signature::{self, Algorithm};

use super::cache::Slot;
use super::{KeyUse, Vault, VaultError};
use crate::keyring::{Place, RecordError};
use crate::state::{KeyType, KeyUsage};

/// A new key version, ready for a command.
pub struct NewVersion {
    /// The sealed record of its secret.
    pub sealed: Vec<u8>,
    /// Its public key, a SubjectPublicKeyInfo in DER; empty for types that have none.
    pub public_key: Vec<u8>,
}

/// The secret of one key version: a different thing for each type, so that none is used as another.
pub(super) enum Material {
    Aes256Gcm(SecretKey),
    HmacSha256(SecretKey),
    /// A private key, as PKCS#8.
    Signing(Algorithm, SecretBytes),
}

impl Material {
    fn generate(key_type: KeyType) -> Self {
        match key_type {
            KeyType::Aes256Gcm => Self::Aes256Gcm(SecretKey::generate()),
            KeyType::HmacSha256 => Self::HmacSha256(SecretKey::generate()),
            KeyType::Ed25519 => Self::signing(Algorithm::Ed25519),
            KeyType::EcdsaP256 => Self::signing(Algorithm::EcdsaP256),
        }
    }

    fn signing(algorithm: Algorithm) -> Self {
        Self::Signing(algorithm, signature::generate(algorithm))
    }

    /// Takes what a sealed record holds.
    pub(super) fn parse(key_type: KeyType, plaintext: SecretBytes) -> Result<Self, FormatError> {
        let secret = SecretKey::from_slice(plaintext.expose());
        Ok(match key_type {
            KeyType::Aes256Gcm => Self::Aes256Gcm(secret?),
            KeyType::HmacSha256 => Self::HmacSha256(secret?),
            KeyType::Ed25519 => Self::Signing(Algorithm::Ed25519, plaintext),
            KeyType::EcdsaP256 => Self::Signing(Algorithm::EcdsaP256, plaintext),
        })
    }

    /// What goes into the sealed record.
    pub(super) fn plaintext(&self) -> &[u8] {
        match self {
            Self::Aes256Gcm(secret) | Self::HmacSha256(secret) => secret.expose(),
            Self::Signing(_, pkcs8) => pkcs8.expose(),
        }
    }

    pub(super) fn public_key(&self) -> Result<Vec<u8>, FormatError> {
        match self {
            Self::Signing(algorithm, pkcs8) => signature::public_key(*algorithm, pkcs8),
            Self::Aes256Gcm(_) | Self::HmacSha256(_) => Ok(Vec::new()),
        }
    }

    /// What it is for.
    pub(super) fn usage(&self) -> KeyUsage {
        match self {
            Self::Aes256Gcm(_) => KeyUsage::EncryptDecrypt,
            Self::HmacSha256(_) => KeyUsage::Mac,
            Self::Signing(..) => KeyUsage::SignVerify,
        }
    }

    /// The key that encrypts.
    pub(super) fn cipher(&self) -> Result<&SecretKey, VaultError> {
        match self {
            Self::Aes256Gcm(secret) => Ok(secret),
            Self::HmacSha256(_) | Self::Signing(..) => Err(self.misused()),
        }
    }

    /// The key that authenticates.
    pub(super) fn mac(&self) -> Result<&SecretKey, VaultError> {
        match self {
            Self::HmacSha256(secret) => Ok(secret),
            Self::Aes256Gcm(_) | Self::Signing(..) => Err(self.misused()),
        }
    }

    /// The key that signs, and how.
    pub(super) fn signer(&self) -> Result<(Algorithm, &SecretBytes), VaultError> {
        match self {
            Self::Signing(algorithm, pkcs8) => Ok((*algorithm, pkcs8)),
            Self::Aes256Gcm(_) | Self::HmacSha256(_) => Err(self.misused()),
        }
    }

    fn misused(&self) -> VaultError {
        VaultError::KeyUsage {
            usage: self.usage(),
        }
    }
}

impl Vault {
    /// Makes the secret of a new version of the key called `name`, and answers only its sealed
    /// record and its public key, for a command.
    ///
    /// # Errors
    /// [`VaultError::Sealed`].
    pub fn new_key_version(
        &self,
        key_type: KeyType,
        key_id: KeyId,
        version: KeyVersion,
        name: &str,
        created_ms: u64,
    ) -> Result<NewVersion, VaultError> {
        let place = Place::key_version(key_type, key_id, version, name);
        let material = Material::generate(key_type);
        // A version's record is written once; its revision counts rewraps.
        Ok(NewVersion {
            sealed: self.seal_record(&place, 1, created_ms, material.plaintext())?,
            public_key: material.public_key()?,
        })
    }

    /// Unwraps the version, or finds it unwrapped.
    pub(super) fn material(&self, key: &KeyUse<'_>) -> Result<Arc<Material>, VaultError> {
        // Before the cache: a sealed vault has no keys, whatever a running call left behind.
        let ring = self.ring()?;
        let slot = Slot {
            key_id: key.key_id,
            version: key.version,
            epoch: key.epoch,
        };
        let now = sys::clock::boottime();
        if let Some(material) = self.cache().get(&slot, now) {
            return Ok(material);
        }
        let failed = |source| VaultError::material(key.key_id, key.version, source);
        let place = Place::key_version(key.key_type, key.key_id, key.version, key.name);
        let plaintext = ring.open(&place, key.sealed).map_err(failed)?;
        let material = Material::parse(key.key_type, plaintext)
            .map_err(|error| failed(RecordError::Format(error)))?;
        let material = Arc::new(material);
        self.cache().put(slot, Arc::clone(&material), now);
        Ok(material)
    }
}
