//! What the control runtime keeps going: the gateway's identity, its devices' certificates, its
//! announcement, the orders it obeys, the archive.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use kms_client::identity::{Identity, Role as SpiffeRole};
use kms_client::model::GatewayRole;
use kms_client::reason::Reason;
use kms_client::tls::{ALPN_TUNNEL, Dates, ExpectedPeer, server_config};
use kms_client::{Client, Error};
use rustls::ServerConfig;
use sys::task::AbortOnDrop;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::contain::Containment;
use crate::archive::{self, Archive, LeasedKeys};
use crate::capture::{CaptureSink, NoCapture};
use crate::config::{Config, CoreConfig, EdgeConfig, ReverseListener, RoleConfig};
use crate::core::CoreShared;
use crate::edge::{DeviceStores, EdgeShared, ReverseShared, RouteShared};
use crate::limits::{CERTIFICATE_CHECK_INTERVAL, KMS_RETRY_INTERVAL};
use crate::measure;
use crate::rewrap::{Asking, Rewrapper};

/// What the data threads do, and share.
#[derive(Clone)]
pub(super) enum Role {
    Edge {
        shared: EdgeShared,
        routes: Vec<RouteShared>,
        reverse: Vec<ReverseShared>,
    },
    Core {
        shared: CoreShared,
        reverse: Vec<Arc<ReverseListener>>,
    },
}

/// A gateway that can serve.
pub(super) struct Gateway {
    pub(super) role: Role,
    client: Client,
    devices: DeviceStores,
    containment: Containment,
    announcement: Announcement,
    announced: watch::Sender<bool>,
    archive: Option<Archive>,
    leases: Option<Arc<LeasedKeys>>,
    rewrapper: Option<Rewrapper>,
    tasks: Vec<AbortOnDrop<()>>,
}

#[derive(Clone)]
struct Announcement {
    role: GatewayRole,
    address: Option<String>,
}

/// Reads what is on disk. The KMS is not needed for that.
pub(super) async fn prepare(config: &Config) -> Result<Gateway, Error> {
    let client = Client::open(&config.identity_dir)?;
    let identity = client.identity();
    require_gateway(config, &identity)?;
    match &config.role {
        RoleConfig::Edge(edge) => Ok(prepare_edge(config, edge, &identity, client)),
        RoleConfig::Core(core) => prepare_core(config, core, identity, client),
    }
}

impl Gateway {
    /// Tells the cluster that this gateway is there, as soon as the cluster can be reached.
    pub(super) fn announce(&mut self) {
        let (client, announcement) = (self.client.clone(), self.announcement.clone());
        let told = self.announced.clone();
        self.keep("announce", async move {
            while let Err(error) = client
                .announce_gateway(announcement.role, announcement.address.as_deref())
                .await
            {
                tracing::warn!(reason = %error.reason(), "not announced yet: {error}");
                tokio::time::sleep(KMS_RETRY_INTERVAL).await;
            }
            told.send_replace(true);
        });
    }

    /// Returns when every device has a certificate; renews meanwhile, and goes on renewing.
    pub(super) async fn certificates_there(&mut self) {
        let (devices, client) = (self.devices.clone(), self.client.clone());
        self.keep("device certificates", async move {
            devices.keep_fresh(&client).await
        });
        if !self.devices.are_all_settled() {
            // Only who is known as an edge is given devices' certificates. The sender is this
            // gateway's own: it cannot be gone.
            drop(self.announced.subscribe().wait_for(|told| *told).await);
        }
        self.devices.obtain_missing(&self.client).await;
    }

    /// Holds flows to the orders of the KMS, and asks it how long they may go on.
    pub(super) fn follow_orders(&mut self) {
        let tasks = self.containment.follow(&self.client);
        self.tasks.extend(tasks);
    }

    /// Returns when it is known which devices may communicate.
    pub(super) async fn policy_there(&self) {
        self.containment.known().await;
    }

    /// Tells the KMS what the archive of a core holds, and moves its data keys where that is asked
    /// for.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub(super) fn rewrap(&mut self) -> io::Result<()> {
        if let Role::Edge { .. } = &self.role {
            return Ok(());
        }
        let segments = self.archive.as_ref().map(Archive::segments);
        let rewrapper = Rewrapper::start(segments, |stopped| Asking {
            client: self.client.clone(),
            runtime: Handle::current(),
            leases: self.leases.clone(),
            announced: self.announced.subscribe(),
            stopped,
        })?;
        self.rewrapper = Some(rewrapper);
        Ok(())
    }

    /// Ends what is kept going, the archive last: it still leases data keys while it writes.
    pub(super) async fn close(self) {
        let (rewrapper, archive) = (self.rewrapper, self.archive);
        if rewrapper.is_some() || archive.is_some() {
            let stop = move || {
                // First: it writes in the folder that the archive keeps others out of.
                rewrapper.into_iter().for_each(Rewrapper::stop);
                archive.into_iter().for_each(Archive::stop);
            };
            let stopped = tokio::task::spawn_blocking(stop).await;
            if let Err(error) = stopped {
                tracing::error!(%error, "the archive was not written to its end");
            }
        }
        drop(self.tasks);
    }

    fn keep(&mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.push(AbortOnDrop(sys::task::spawn(name, work)));
    }
}

fn prepare_edge(
    config: &Config,
    edge: &EdgeConfig,
    identity: &Identity,
    client: Client,
) -> Gateway {
    let trust_domain = identity.id().trust_domain();
    let (devices, routes, reverse) = DeviceStores::open(&config.state_dir, trust_domain, edge);
    let announcement = Announcement {
        role: GatewayRole::Edge,
        address: None,
    };
    let containment = Containment::load(config);
    let role = Role::Edge {
        shared: EdgeShared::new(containment.gates()),
        routes,
        reverse,
    };
    let mut gateway = Gateway {
        role,
        client,
        devices,
        containment,
        announcement,
        announced: watch::Sender::new(false),
        archive: None,
        leases: None,
        rewrapper: None,
        tasks: Vec::new(),
    };
    gateway.keep_own_certificate();
    gateway
}

fn prepare_core(
    config: &Config,
    core: &CoreConfig,
    identity: Arc<Identity>,
    client: Client,
) -> Result<Gateway, Error> {
    let tls = Arc::new(ArcSwap::from_pointee(tunnel_tls(&identity)?));
    let (archive, leases) = start_archive(core, &client)?;
    let capture: Arc<dyn CaptureSink> = match &archive {
        Some(archive) => archive.sink(),
        None => Arc::new(NoCapture),
    };
    let containment = Containment::load(config);
    let shared = CoreShared::new(core, Arc::clone(&tls), capture, containment.gates());
    let announcement = Announcement {
        role: GatewayRole::Core,
        address: Some(core.tunnel_listen.to_string()),
    };
    let devices = DeviceStores::default();
    let reverse = core.reverse.clone();
    let role = Role::Core { shared, reverse };
    let mut gateway = Gateway {
        role,
        client,
        devices,
        containment,
        announcement,
        announced: watch::Sender::new(false),
        archive,
        leases,
        rewrapper: None,
        tasks: Vec::new(),
    };
    gateway.keep_own_certificate();
    let following = follow_certificate(gateway.client.clone(), identity, tls);
    gateway.keep("tunnel certificate", following);
    Ok(gateway)
}

/// Starts the archive where the configuration asks for one.
fn start_archive(core: &CoreConfig, client: &Client) -> Result<Archived, Error> {
    let Some(dir) = &core.archive_dir else {
        return Ok((None, None));
    };
    let keys = Arc::new(LeasedKeys::start(client.clone()));
    let started = Archive::start(archive::Settings::new(dir), keys.clone());
    let started = started.map_err(|error| {
        let reason = match &error {
            archive::StartError::Locked(_) => Reason::Locked,
            archive::StartError::Thread(_) => Reason::Internal,
        };
        Error::new(reason, error.to_string()).with_source(error)
    })?;
    Ok((Some(started), Some(keys)))
}

/// An archive and the leases that it seals under.
type Archived = (Option<Archive>, Option<Arc<LeasedKeys>>);

impl Gateway {
    fn keep_own_certificate(&mut self) {
        let client = self.client.clone();
        self.keep("gateway certificate", async move {
            match client.keep_certificate_fresh().await {}
        });
    }
}

/// Tunnels made from now on see a renewed certificate; those that stand are not touched.
async fn follow_certificate(
    client: Client,
    mut seen: Arc<Identity>,
    tls: Arc<ArcSwap<ServerConfig>>,
) {
    let mut shown_until_ms = seen.facts().not_after_ms;
    loop {
        measure::certificate_expires(shown_until_ms);
        tokio::time::sleep(CERTIFICATE_CHECK_INTERVAL).await;
        let current = client.identity();
        if Arc::ptr_eq(&seen, &current) {
            continue;
        }
        match tunnel_tls(&current) {
            Ok(renewed) => {
                tls.store(Arc::new(renewed));
                shown_until_ms = current.facts().not_after_ms;
            }
            // The one that is shown stays so, and its date is what is told.
            Err(error) => tracing::warn!("the gateway's certificate cannot be used: {error}"),
        }
        seen = current;
    }
}

/// Accepts whoever has a device certificate of this cluster; what it may do is asked at each OPEN.
fn tunnel_tls(identity: &Identity) -> Result<ServerConfig, Error> {
    let devices = ExpectedPeer::of(identity.id().trust_domain(), &[SpiffeRole::Device]);
    server_config(identity, devices, Dates::Checked, ALPN_TUNNEL)
}

fn require_gateway(config: &Config, identity: &Identity) -> Result<(), Error> {
    let id = identity.id();
    if id.role() == SpiffeRole::Gateway && id.id() == config.id.as_str() {
        return Ok(());
    }
    let message = format!(
        "the identity in {} is {id}, not gateway `{}`; give its folder, or join as this gateway",
        config.identity_dir.display(),
        config.id
    );
    Err(Error::new(Reason::CertificateForeign, message))
}
