//! Where the archive gets its data keys from, without ever waiting for the network.

use std::sync::Arc;

use envelope::secret::SecretKey;
use envelope::segment::SideCarKey;

use crate::ids::DeviceId;

/// A data key on lease.
pub trait Lease: Send + Sync {
    /// The data key. Used in the moment an object begins, to derive the object's own key.
    fn secret(&self) -> &SecretKey;

    /// An object did not need so many of the bytes reserved for it.
    fn give_back(&self, bytes: u64);
}

/// What an object begins with.
#[derive(Clone)]
pub struct Leased {
    /// The data key.
    pub lease: Arc<dyn Lease>,
    /// Its wrapped form, which goes beside the segment; its context is part of the object's.
    pub wrapped: Arc<SideCarKey>,
}

/// Data keys, fetched ahead by somebody else.
pub trait DataKeys: Send + Sync + 'static {
    /// A flow of this device was opened: its data key will be needed soon. Called by data threads;
    /// must not block.
    fn wanted(&self, device: &DeviceId);

    /// The data key for an object of at most `bytes_max` that begins now. `None` while there is
    /// none: it is being fetched. Must not block.
    fn lease(&self, device: &DeviceId, bytes_max: u64) -> Option<Leased>;
}
