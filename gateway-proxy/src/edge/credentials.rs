//! A device's TLS configuration as its routes use it now: replaced when its certificate is
//! renewed, read for every new tunnel.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use rustls::ClientConfig;

/// A device's current certificate, ready to connect with.
#[derive(Clone, Debug)]
pub struct DeviceTls {
    /// Connects as the device, to one core.
    pub config: Arc<ClientConfig>,
    /// Counts renewals: tunnels made with an older certificate are not reused.
    pub generation: u64,
}

/// Where a route finds its device's certificate. Empty until there is one.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    current: Arc<ArcSwapOption<DeviceTls>>,
    generations: Arc<AtomicU64>,
}

impl Credentials {
    /// Replaces the certificate.
    pub fn replace(&self, config: Arc<ClientConfig>) {
        let generation = self.generations.fetch_add(1, Ordering::Relaxed);
        self.current
            .store(Some(Arc::new(DeviceTls { config, generation })));
    }

    /// The certificate in use.
    pub fn current(&self) -> Option<Arc<DeviceTls>> {
        self.current.load_full()
    }
}
