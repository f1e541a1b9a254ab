//! The devices' certificates at the edge: the key pair is made here and stays here, the KMS signs.
//! Kept on disk, so that the edge starts without the KMS; renewed before half their life is over.
//! The control runtime drives it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::future::join_all;
use kms_client::identity::{Identity, IdentityDir, Role};
use kms_client::tls::{ALPN_TUNNEL, ExpectedPeer, client_config};
use kms_client::{Client, Error};
use rustls::ClientConfig;

use super::RouteShared;
use super::credentials::Credentials;
use super::pool::Reach;
use crate::config::{HostPort, Route};
use crate::ids::{DeviceId, GatewayId};
use crate::limits::{CERTIFICATE_CHECK_INTERVAL, KMS_RETRY_INTERVAL};
use crate::measure;

/// Every device of an edge.
#[derive(Clone, Default)]
pub struct DeviceStores(Arc<Vec<DeviceStore>>);

/// One device's certificate, and the routes that use it.
struct DeviceStore {
    device: DeviceId,
    dir: IdentityDir,
    trust_domain: String,
    /// One for each core the device reaches: its identity is part of the TLS configuration.
    by_core: BTreeMap<GatewayId, Credentials>,
}

impl DeviceStores {
    /// Opens the devices of these routes, with what is on disk of each.
    ///
    /// # Errors
    /// A certificate on disk cannot be used.
    pub fn open(
        state_dir: &Path,
        trust_domain: &str,
        routes: &[Route],
    ) -> Result<(Self, Vec<RouteShared>), Error> {
        let mut devices: BTreeMap<DeviceId, DeviceStore> = BTreeMap::new();
        let mut reaches: BTreeMap<(DeviceId, GatewayId, String), Arc<Reach>> = BTreeMap::new();
        let mut shared = Vec::with_capacity(routes.len());
        for route in routes {
            let device = devices
                .entry(route.device.clone())
                .or_insert_with(|| DeviceStore::new(state_dir, trust_domain, &route.device));
            let credentials = device
                .by_core
                .entry(route.core_id.clone())
                .or_default()
                .clone();
            let core: HostPort = route.core.clone();
            let key = (
                route.device.clone(),
                route.core_id.clone(),
                core.to_string(),
            );
            // Routes of one device to one core share their tunnels.
            let reach = reaches
                .entry(key)
                .or_insert_with(|| Reach::new(core, credentials));
            shared.push(RouteShared::new(route.clone(), Arc::clone(reach)));
        }
        let stores: Vec<_> = devices.into_values().collect();
        for store in stores.iter().filter(|store| store.dir.has_certificate()) {
            let identity = store.dir.load()?;
            store.publish(&identity)?;
        }
        Ok((Self(Arc::new(stores)), shared))
    }

    /// Returns when every device has a certificate that is still valid, however long the KMS is
    /// away. Devices that have one are served meanwhile.
    pub async fn obtain_missing(&self, client: &Client) {
        join_all(
            self.0
                .iter()
                .map(|store| store.obtain_if(client, |store| !store.is_valid())),
        )
        .await;
    }

    /// Renews each certificate when half its life is over. Never ends.
    pub async fn keep_fresh(&self, client: &Client) {
        loop {
            let ends = self.0.iter().filter_map(DeviceStore::not_after_ms);
            if let Some(first) = ends.min() {
                measure::certificate_expires(first);
            }
            tokio::time::sleep(CERTIFICATE_CHECK_INTERVAL).await;
            for store in self.0.iter().filter(|store| store.is_half_over()) {
                if let Err(error) = store.obtain(client).await {
                    tracing::warn!(device = %store.device, reason = %error.reason(),
                        "a device's certificate was not renewed: {error}");
                }
            }
        }
    }
}

impl DeviceStore {
    fn new(state_dir: &Path, trust_domain: &str, device: &DeviceId) -> Self {
        let dir = IdentityDir::new(state_dir.join("devices").join(device.as_str()));
        let trust_domain = trust_domain.to_owned();
        Self {
            device: device.clone(),
            dir,
            trust_domain,
            by_core: BTreeMap::new(),
        }
    }

    async fn obtain_if(&self, client: &Client, needed: impl Fn(&Self) -> bool) {
        while needed(self) {
            let Err(error) = self.obtain(client).await else {
                return;
            };
            tracing::warn!(device = %self.device, reason = %error.reason(),
                "a device has no certificate yet: {error}");
            tokio::time::sleep(KMS_RETRY_INTERVAL).await;
        }
    }

    async fn obtain(&self, client: &Client) -> Result<(), Error> {
        let request = self.dir.create_csr()?;
        let issued = client
            .issue_certificate(&request, Some(self.device.as_str()))
            .await?;
        let identity = self
            .dir
            .store_certificate(&issued.certificate, &issued.ca)?;
        self.publish(&identity)?;
        tracing::info!(device = %self.device, "the device has a new certificate");
        Ok(())
    }

    /// Tunnels made from now on use it.
    fn publish(&self, identity: &Identity) -> Result<(), Error> {
        for (core, credentials) in &self.by_core {
            credentials.replace(Arc::new(self.tls(identity, core)?));
        }
        Ok(())
    }

    fn tls(&self, identity: &Identity, core: &GatewayId) -> Result<ClientConfig, Error> {
        let expected =
            ExpectedPeer::of(&self.trust_domain, &[Role::Gateway]).with_id(core.as_str());
        client_config(identity, expected, ALPN_TUNNEL)
    }

    fn not_after_ms(&self) -> Option<u64> {
        Some(self.dir.load().ok()?.facts().not_after_ms)
    }

    fn is_valid(&self) -> bool {
        let now_ms = sys::clock::wall_ms();
        self.dir
            .load()
            .is_ok_and(|identity| !identity.facts().is_expired(now_ms))
    }

    /// A certificate that cannot be read is as good as over.
    fn is_half_over(&self) -> bool {
        self.dir.load().map_or(true, |identity| {
            let facts = identity.facts();
            let half_ms = facts.not_before_ms + (facts.not_after_ms - facts.not_before_ms) / 2;
            sys::clock::wall_ms() > half_ms
        })
    }
}
