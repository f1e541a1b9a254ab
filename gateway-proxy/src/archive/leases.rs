//! The archive's data keys, leased from the KMS for each device by the client library's cache.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use envelope::context::EncryptionContext;
use envelope::id::{KeyId, KeyVersion};
use envelope::secret::SecretKey;
use envelope::segment::SideCarKey;
use kms_client::Client;
use kms_client::data_keys::DataKeyCache;
use kms_client::model::KeySelector;

use super::keys::{DataKeys, Lease, Leased};
use super::limits::WRAPPED_MAX;
use crate::ids::DeviceId;

/// Leases of the keys `device/<id>`. The cache takes them back when a key is rotated or disabled,
/// and fetches the next one in time.
pub struct LeasedKeys {
    cache: DataKeyCache,
    /// The wrapped form of each device's current data key, made once for all its objects.
    wrapped: Mutex<HashMap<DeviceId, Arc<SideCarKey>>>,
}

impl LeasedKeys {
    /// Starts leasing; fetches run on the current runtime.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start(client: Client) -> Self {
        Self {
            cache: DataKeyCache::start(client),
            wrapped: Mutex::default(),
        }
    }

    /// Whether objects may still begin under an older version of a key than this.
    #[must_use]
    pub fn holds_older(&self, key_id: KeyId, version: KeyVersion) -> bool {
        self.cache.holds_older(key_id, version)
    }

    fn wrapped(&self, device: &DeviceId, lease: &kms_client::data_keys::Lease) -> Arc<SideCarKey> {
        let mut wrapped = self.wrapped.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = wrapped.get(device)
            && key.data_key_id == lease.id()
        {
            return Arc::clone(key);
        }
        if wrapped.len() >= WRAPPED_MAX {
            wrapped.clear();
        }
        let key = Arc::new(SideCarKey {
            data_key_id: lease.id(),
            wrapped: lease.wrapped().to_vec(),
            context: lease.context().clone(),
        });
        wrapped.insert(device.clone(), Arc::clone(&key));
        key
    }
}

impl DataKeys for LeasedKeys {
    fn wanted(&self, device: &DeviceId) {
        self.cache
            .prefetch(&key_of(device), &EncryptionContext::new());
    }

    fn lease(&self, device: &DeviceId, bytes_max: u64) -> Option<Leased> {
        let context = EncryptionContext::new();
        let lease = self.cache.try_get(&key_of(device), &context, bytes_max)?;
        let wrapped = self.wrapped(device, &lease);
        Some(Leased { lease, wrapped })
    }
}

impl Lease for kms_client::data_keys::Lease {
    fn secret(&self) -> &SecretKey {
        self.secret()
    }

    fn give_back(&self, bytes: u64) {
        self.give_back(bytes);
    }
}

fn key_of(device: &DeviceId) -> KeySelector {
    KeySelector::device(device.as_str())
}
