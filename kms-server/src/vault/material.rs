//! Key versions: making a new one's material, and unwrapping one for use.

use std::sync::Arc;

use envelope::id::{KeyId, KeyVersion};
use envelope::secret::SecretKey;

use super::cache::Slot;
use super::{KeyUse, Vault, VaultError};
use crate::keyring::Place;

impl Vault {
    /// Makes the secret of a new version of the key called `name`, and answers only its sealed
    /// record, for a command.
    ///
    /// # Errors
    /// [`VaultError::Sealed`].
    pub fn new_key_version(
        &self,
        key_id: KeyId,
        version: KeyVersion,
        name: &str,
        created_ms: u64,
    ) -> Result<Vec<u8>, VaultError> {
        let place = Place::key_version(key_id, version, name);
        // A version's record is written once; its revision counts rewraps.
        self.seal_record(&place, 1, created_ms, SecretKey::generate().expose())
    }

    /// Unwraps the version, or finds it unwrapped.
    pub(super) fn material(&self, key: &KeyUse<'_>) -> Result<Arc<SecretKey>, VaultError> {
        // Before the cache: a sealed vault has no keys, whatever a running call left behind.
        let ring = self.ring()?;
        let slot = Slot {
            key_id: key.key_id,
            version: key.version,
            epoch: key.epoch,
        };
        let now = sys::clock::boottime();
        if let Some(secret) = self.cache().get(&slot, now) {
            return Ok(secret);
        }
        let failed = |source| VaultError::material(key.key_id, key.version, source);
        let place = Place::key_version(key.key_id, key.version, key.name);
        let plaintext = ring.open(&place, key.sealed).map_err(failed)?;
        let secret = SecretKey::from_slice(plaintext.expose())
            .map_err(|error| failed(crate::keyring::RecordError::Format(error)))?;
        let secret = Arc::new(secret);
        self.cache().put(slot, Arc::clone(&secret), now);
        Ok(secret)
    }
}
