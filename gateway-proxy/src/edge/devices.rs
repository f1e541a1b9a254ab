//! The devices' certificates at the edge: the key pair is made here and stays here, the KMS signs.
//! Kept on disk, so that the edge starts without the KMS; renewed before half their life is over.
//! The control runtime drives it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use futures::{StreamExt, stream};
use kms_client::identity::{CertificateFacts, Identity, IdentityDir, Role};
use kms_client::model::IssuedCertificate;
use kms_client::reason::Reason;
use kms_client::tls::{ALPN_TUNNEL, ExpectedPeer, client_config};
use kms_client::{Client, Error};
use rustls::ClientConfig;
use tokio::sync::Semaphore;

use super::credentials::Credentials;
use super::pool::Reach;
use super::pulse::Pulse;
use super::{ReverseShared, RouteShared};
use crate::config::{EdgeConfig, HostPort};
use crate::ids::{DeviceId, GatewayId};
use crate::limits::{
    CERTIFICATE_CHECK_INTERVAL, CERTIFICATE_RETRY_MAX, ENROLMENTS_MAX, KMS_RETRY_INTERVAL,
};
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
    /// What the certificate in use says.
    facts: Mutex<Option<CertificateFacts>>,
    /// The KMS gives it no certificate any more.
    revoked: AtomicBool,
}

impl DeviceStores {
    /// Opens the devices of these routes, in both directions, with what is on disk of each.
    ///
    /// A certificate that cannot be used is as good as none: it keeps its own device waiting for
    /// the KMS, and nobody else.
    pub fn open(
        state_dir: &Path,
        trust_domain: &str,
        edge: &EdgeConfig,
    ) -> (Self, Vec<RouteShared>, Vec<ReverseShared>) {
        let mut devices: BTreeMap<DeviceId, DeviceStore> = BTreeMap::new();
        let mut pulses: BTreeMap<String, Arc<Pulse>> = BTreeMap::new();
        let mut reaches: BTreeMap<(DeviceId, GatewayId, String), Arc<Reach>> = BTreeMap::new();
        let mut reach_of = |device: &DeviceId, core_id: &GatewayId, core: &HostPort| {
            let store = devices
                .entry(device.clone())
                .or_insert_with(|| DeviceStore::new(state_dir, trust_domain, device));
            let credentials = store.by_core.entry(core_id.clone()).or_default().clone();
            let key = (device.clone(), core_id.clone(), core.to_string());
            let pulse = pulses.entry(core.to_string()).or_default();
            // Routes of one device to one core share their tunnels.
            let new = || Reach::new(core.clone(), credentials, Arc::clone(pulse));
            Arc::clone(reaches.entry(key).or_insert_with(new))
        };
        let routes = edge.routes.iter().map(|route| {
            let reach = reach_of(&route.device, &route.core_id, &route.core);
            RouteShared::new(route.clone(), reach)
        });
        let routes = routes.collect();
        let reverse = edge.reverse.iter().map(|route| {
            let reach = reach_of(&route.device, &route.core_id, &route.core);
            ReverseShared::new(route.clone(), reach)
        });
        let reverse = reverse.collect();
        let stores: Vec<_> = devices.into_values().collect();
        for store in stores.iter().filter(|store| store.dir.has_certificate()) {
            let loaded = store
                .dir
                .load()
                .and_then(|identity| store.publish(&identity));
            if let Err(error) = loaded {
                tracing::error!(device = %store.device, reason = %error.reason(),
                    "the device's certificate on disk cannot be used: {error}");
            }
        }
        (Self(Arc::new(stores)), routes, reverse)
    }

    /// Returns when every device that is not revoked has a certificate that is still valid, however
    /// long the KMS is away. Devices that have one are served meanwhile. It goes in rounds, each
    /// device once a round, so that devices the KMS refuses do not keep others waiting.
    pub async fn obtain_missing(&self, client: &Client) {
        while !self.are_all_settled() {
            let missing = self.0.iter().filter(|store| !store.is_settled());
            stream::iter(missing)
                .for_each_concurrent(ENROLMENTS_MAX, async |store| {
                    if let Err(error) = store.obtain(client).await {
                        tracing::warn!(device = %store.device, reason = %error.reason(),
                            "a device has no certificate yet: {error}");
                    }
                })
                .await;
            if !self.are_all_settled() {
                tokio::time::sleep(KMS_RETRY_INTERVAL).await;
            }
        }
    }

    /// Whether nothing has to be asked for before the edge can serve.
    pub fn are_all_settled(&self) -> bool {
        self.0.iter().all(DeviceStore::is_settled)
    }

    /// Renews each certificate before half its life is over. Never ends. A device that has none is
    /// left to [`obtain_missing`](Self::obtain_missing).
    pub async fn keep_fresh(&self, client: &Client) {
        let places = Semaphore::new(ENROLMENTS_MAX);
        let each = self.0.iter().map(|store| {
            let renew = || store.renew(client, &places);
            renew_when_due(CERTIFICATE_CHECK_INTERVAL, || store.is_due(), renew)
        });
        futures::join!(join_all(each), self.tell_first_end());
    }

    async fn tell_first_end(&self) {
        loop {
            let facts = self.0.iter().filter_map(DeviceStore::facts);
            if let Some(first) = facts.map(|facts| facts.not_after_ms).min() {
                measure::certificate_expires(first);
            }
            tokio::time::sleep(CERTIFICATE_CHECK_INTERVAL).await;
        }
    }
}

/// Renews one device's certificate whenever it is due, and less and less often while it is due all
/// the same: it was not renewed, or the clocks differ. Never ends.
async fn renew_when_due<F: Future<Output = ()>>(
    often: Duration,
    is_due: impl Fn() -> bool,
    renew: impl Fn() -> F,
) {
    let mut pause = often;
    loop {
        tokio::time::sleep(pause).await;
        if is_due() {
            renew().await;
        }
        pause = match is_due() {
            true => (pause * 2).min(CERTIFICATE_RETRY_MAX),
            false => often,
        };
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
            facts: Mutex::default(),
            revoked: AtomicBool::new(false),
        }
    }

    async fn renew(&self, client: &Client, places: &Semaphore) {
        // They are never closed.
        let _place = places.acquire().await;
        if let Err(error) = self.obtain(client).await {
            tracing::warn!(device = %self.device, reason = %error.reason(),
                "a device's certificate was not renewed: {error}");
        }
    }

    async fn obtain(&self, client: &Client) -> Result<(), Error> {
        let obtained = self.obtain_now(client).await;
        if obtained
            .as_ref()
            .is_err_and(|error| error.reason() == Reason::DeviceRevoked)
        {
            self.revoked.store(true, Ordering::Relaxed);
        }
        obtained
    }

    async fn obtain_now(&self, client: &Client) -> Result<(), Error> {
        let request = self.dir.create_csr()?;
        let issued = client
            .issue_certificate(&request, Some(self.device.as_str()))
            .await?;
        self.take_up(&issued)
    }

    /// Used before it is stored: a full disk must not cost a good certificate.
    fn take_up(&self, issued: &IssuedCertificate) -> Result<(), Error> {
        let identity = self.dir.identity_with(&issued.certificate, &issued.ca)?;
        self.publish(&identity)?;
        tracing::info!(device = %self.device, "the device has a new certificate");
        if let Err(error) = self.dir.store(&identity) {
            tracing::warn!(device = %self.device, reason = %error.reason(),
                "the device's new certificate is used, and is not there after a restart: {error}");
        }
        Ok(())
    }

    /// Tunnels made from now on use it.
    fn publish(&self, identity: &Identity) -> Result<(), Error> {
        // All or none, and before its date is told: one that cannot be used is not in use.
        let made = self.by_core.iter().map(|(core, credentials)| {
            let tls = self.tls(identity, core)?;
            Ok((credentials, Arc::new(tls)))
        });
        for (credentials, tls) in made.collect::<Result<Vec<_>, Error>>()? {
            credentials.replace(tls);
        }
        let facts = Some(identity.facts().clone());
        *self.facts.lock().unwrap_or_else(PoisonError::into_inner) = facts;
        Ok(())
    }

    fn tls(&self, identity: &Identity, core: &GatewayId) -> Result<ClientConfig, Error> {
        let expected =
            ExpectedPeer::of(&self.trust_domain, &[Role::Gateway]).with_id(core.as_str());
        client_config(identity, expected, ALPN_TUNNEL)
    }

    fn facts(&self) -> Option<CertificateFacts> {
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner);
        facts.clone()
    }

    fn is_valid(&self) -> bool {
        let now_ms = sys::clock::wall_ms();
        self.facts().is_some_and(|facts| !facts.is_expired(now_ms))
    }

    /// Whether nothing has to be asked for: a revoked device keeps nobody waiting.
    fn is_settled(&self) -> bool {
        self.is_valid() || self.is_revoked()
    }

    fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::Relaxed)
    }

    fn is_due(&self) -> bool {
        let now_ms = sys::clock::wall_ms();
        let facts = self.facts();
        facts.is_some_and(|facts| facts.is_due_for_renewal(now_ms)) && !self.is_revoked()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use kms_client::identity::SpiffeId;
    use kms_client::testing::Authority;

    use super::*;

    const OFTEN: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn a_certificate_that_is_not_renewed_slows_no_other() {
        let (refused, renewed) = (Cell::new(0_u32), Cell::new(0_u32));
        let due = Cell::new(true);
        let unanswered = renew_when_due(OFTEN, || true, std::future::pending::<()>);
        let refuse = || {
            refused.set(refused.get() + 1);
            std::future::ready(())
        };
        let refused_again = renew_when_due(OFTEN, || true, refuse);
        // Due again after each look that finds it renewed.
        let renew = || {
            due.set(false);
            renewed.set(renewed.get() + 1);
            std::future::ready(())
        };
        let granted = renew_when_due(OFTEN, || due.replace(true), renew);
        let enough = async {
            while renewed.get() < 100 {
                tokio::time::sleep(OFTEN).await;
            }
        };
        tokio::select! {
            () = unanswered => {}
            () = refused_again => {}
            () = granted => {}
            enough = tokio::time::timeout(Duration::from_secs(10), enough) => enough.unwrap(),
        }
        assert!(refused.get() < renewed.get() / 2, "{}", refused.get());
    }

    #[test]
    fn a_certificate_that_cannot_be_stored_is_used_all_the_same() {
        let temporary = tempfile::tempdir().unwrap();
        let (device, core) = ("ct-1".parse().unwrap(), "core".parse().unwrap());
        let authority = Authority::new("ward.test");
        let mut store = DeviceStore::new(temporary.path(), authority.trust_domain(), &device);
        let credentials = store.by_core.entry(core).or_default().clone();
        let request = store.dir.create_csr().unwrap();
        let id = SpiffeId::new(authority.trust_domain(), Role::Device, "ct-1").unwrap();
        let issued = IssuedCertificate {
            certificate: authority.issue_for_csr(&request, &id),
            ca: vec![authority.certificate()],
            not_after_ms: 0,
        };
        // Nothing can be renamed to the name of a folder that is not empty.
        let file = store.dir.path().join("cert.pem");
        std::fs::create_dir_all(file.join("in-the-way")).unwrap();
        store.take_up(&issued).unwrap();
        assert!(!store.dir.has_certificate());
        assert!(credentials.current().is_some());
        assert!(store.is_valid());
    }
}
