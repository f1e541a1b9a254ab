//! The vault: everything that touches key material, and nothing else.
//!
//! It holds the open key ring while the node is unsealed and a small cache of unwrapped key
//! versions. The API hands it a key's metadata as plain arguments ([`KeyUse`]), the proof that a
//! policy permits the call ([`crate::policy::Authorized`]), and gets ciphertext, or a secret
//! inside a [`Withheld`] that opens only against a durable audit record. It knows neither Raft
//! nor the network, and no key's state: who calls it has looked that up after the read barrier,
//! and looks again before answering.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use envelope::id::ClusterId;
use envelope::secret::SecretBytes;

use cache::Cache;

pub use data_key::{DataKey, DataKeyKind, UnwrappedDataKey, WrappedDataKey};
pub use error::VaultError;
pub use import::{ImportedVersion, NewImport};
pub use key_use::KeyUse;
pub use limits::{CACHE_LIMITS, CacheLimits, DATA_KEYS_MAX, MESSAGE_BYTES_MAX, RANDOM_BYTES_MAX};
pub use material::NewVersion;
pub use re_encrypt::{Destination, Source};
pub use rewrap::Wrapped;
pub use withheld::Withheld;

use crate::keyring::{KeyRing, Place};
use crate::state::Sealed;

mod cache;
mod data;
mod data_key;
mod error;
mod import;
mod key_use;
mod limits;
mod mac;
mod material;
mod random;
mod re_encrypt;
mod rewrap;
mod sign;
#[cfg(test)]
mod tests;
mod withheld;

/// Key material in use. One per node, shared by all requests.
pub struct Vault {
    ring: ArcSwapOption<KeyRing>,
    cache: Mutex<Cache>,
}

impl Vault {
    /// A vault without its ring: every operation answers [`VaultError::Sealed`].
    #[must_use]
    pub fn sealed() -> Self {
        Self {
            ring: ArcSwapOption::empty(),
            cache: Mutex::new(Cache::new()),
        }
    }

    /// Lets the vault work with `ring` from now on.
    pub fn unseal(&self, ring: KeyRing) {
        self.ring.store(Some(Arc::new(ring)));
    }

    /// Forgets the ring and every unwrapped key. Calls already running finish with what they hold.
    pub fn seal(&self) {
        self.ring.store(None);
        self.cache().clear();
    }

    /// Whether the ring is missing.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.ring.load().is_none()
    }

    /// The cluster whose ring this is, while unsealed.
    #[must_use]
    pub fn cluster(&self) -> Option<ClusterId> {
        self.ring.load().as_ref().map(|ring| ring.cluster())
    }

    /// Seals `plaintext` for a place in the replicated state; `revision` is the former plus 1.
    ///
    /// # Errors
    /// [`VaultError::Sealed`], or beyond the limits of a record.
    pub fn seal_record(
        &self,
        place: &Place,
        revision: u64,
        created_ms: u64,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let record = self.ring()?.seal(place, revision, created_ms, plaintext);
        record.map_err(VaultError::Record)
    }

    /// Opens a record that was sealed for `place` at the revision that the state says.
    ///
    /// # Errors
    /// [`VaultError::Sealed`], or the record does not belong there.
    pub fn open_record(&self, place: &Place, sealed: &Sealed) -> Result<SecretBytes, VaultError> {
        self.ring()?.open(place, sealed).map_err(VaultError::Record)
    }

    /// Wipes unwrapped keys that are older than the cache may keep them. The node calls it every
    /// few seconds, so that a key no longer in use does not wait in memory for the next request.
    pub fn sweep(&self) {
        self.cache().sweep(sys::clock::boottime());
    }

    fn ring(&self) -> Result<Arc<KeyRing>, VaultError> {
        self.ring.load_full().ok_or(VaultError::Sealed)
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        // A panic elsewhere leaves whole entries: every change of the cache is one insertion or
        // removal.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
