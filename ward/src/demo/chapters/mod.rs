//! The chapters in their order, and who appears in them.

mod archive;
mod audit;
mod containment;
mod leader;
mod picture;
mod rotation;
mod traffic;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use kms_client::Client;
use kms_client::identity::IdentityDir;
use kms_client::model::Device;
use sys::port::KeptPort;

use super::broken;
use super::monitor::Server;
use super::scanner::Pacs;
use super::stack::{Home, Up, keep_port};
use super::story::{Story, time};
use super::tap::Tap;
use crate::error::Failure;

/// The monitor's id.
const MONITOR: &str = "monitor-3w";
/// The other device's.
const SCANNER: &str = "scanner-2";
/// The monitor's key.
const MONITOR_KEY: &str = "device/monitor-3w";

/// Everybody the story needs.
pub(super) struct Cast<'a> {
    home: &'a Home,
    tap: Tap,
    server: Server,
    /// Where the monitor connects: the edge, though it does not know.
    monitor_port: SocketAddr,
    pacs: Pacs,
    /// Where the scanner connects.
    scanner_port: SocketAddr,
    /// For the edge, which binds both.
    _kept: [KeptPort; 2],
    /// A name that occurs nowhere else on this machine.
    patient: String,
    /// All that the monitor sent, over all connections.
    sent: Vec<u8>,
    up: Option<Up>,
}

impl<'a> Cast<'a> {
    /// Prepares everybody; the stack is started in the first chapter.
    pub(super) async fn meet(home: &'a Home) -> Result<Self, Failure> {
        let kept = [keep_port()?, keep_port()?];
        let [monitor, scanner] = &kept;
        Ok(Self {
            home,
            tap: Tap::start(home.dir()).await?,
            server: Server::start().await?,
            monitor_port: monitor.address(),
            pacs: Pacs::start().map_err(|error| Failure::io("the archive system", &error))?,
            scanner_port: scanner.address(),
            _kept: kept,
            patient: format!("DOE^JANE^{}", envelope::id::ObjectId::random()),
            sent: Vec::new(),
            up: None,
        })
    }

    /// Stops what runs.
    pub(super) async fn leave(self) -> Result<(), Failure> {
        match self.up {
            Some(up) => up.stop().await,
            None => Ok(()),
        }
    }

    /// The operator's client.
    fn client(&self) -> Result<Client, Failure> {
        Ok(Client::open(self.home.dir().join("operator"))?)
    }
}

/// Tells all chapters.
pub(super) async fn tell(story: &mut Story, cast: &mut Cast<'_>) -> Result<(), Failure> {
    start(story, cast).await?;
    traffic::tell(story, cast).await?;
    picture::tell(story, cast).await?;
    rotation::tell(story, cast).await?;
    leader::tell(story, cast).await?;
    containment::tell(story, cast).await?;
    archive::tell(story, cast).await?;
    audit::tell(story, cast).await
}

async fn start(story: &mut Story, cast: &mut Cast<'_>) -> Result<(), Failure> {
    story.chapter("Ward starts on this machine");
    let (monitor, scanner) = (cast.monitor_port, cast.scanner_port);
    let routes = [
        format!("{MONITOR}:hl7@{monitor}={}", cast.server.address),
        format!("{SCANNER}:dicom@{scanner}={}", cast.pacs.address),
    ];
    let begun = sys::clock::monotonic();
    let starting = Up::start(cast.home, &routes, cast.tap.address);
    cast.up = Some(story.during("starting", starting).await?);
    let took = begun.elapsed();
    let status = cast.client()?.cluster_status().await?;
    let (nodes, gateways) = (status.nodes.len(), status.gateways.len());
    let up = format!(
        "{nodes} KMS nodes, {gateways} gateways, ready after {}",
        time(took)
    );
    story.tell("running", up);
    let devices = cast.client()?.list_devices().await?;
    let names: Vec<_> = devices.iter().map(|device| device.id.as_str()).collect();
    if !have_own_keys(cast, &devices, routes.len())? {
        return Err(broken("not every device has a key of its own"));
    }
    story.tell(
        "enrolled",
        format!("{}, each with a key of its own", names.join(" and ")),
    );
    Ok(())
}

/// Whether there are so many devices and no key occurs twice: neither one that the archive seals
/// by, nor one of a certificate.
fn have_own_keys(cast: &Cast<'_>, devices: &[Device], count: usize) -> Result<bool, Failure> {
    let (mut sealing, mut identities) = (BTreeSet::new(), BTreeSet::new());
    let folder = cast.home.dir().join("edge/devices");
    for device in devices {
        let identity = IdentityDir::new(folder.join(&device.id)).load()?;
        sealing.insert(device.key_id.to_string());
        identities.insert(identity.facts().spki_sha256);
    }
    Ok([devices.len(), sealing.len(), identities.len()] == [count; 3])
}
