//! The configuration as an operator or `ward up` writes it: `gateway.toml`, and nothing more.
//! [`super::Config`] is what it means.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The whole file.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// The gateway's own id, as in its SPIFFE id.
    pub id: String,
    /// Which half of a pair this gateway is.
    pub role: Role,
    /// Folder of the gateway's identity: key, certificate, CA, endpoints of the KMS.
    pub identity_dir: PathBuf,
    /// Folder for what the gateway keeps: its devices' certificates.
    pub state_dir: PathBuf,
    /// Metrics and health.
    pub ops: Ops,
    /// Edge: the device routes.
    #[serde(default, rename = "route")]
    pub routes: Vec<Route>,
    /// Edge: the ways from servers to devices.
    #[serde(default, rename = "reverse_route")]
    pub reverse_routes: Vec<ReverseRoute>,
    /// Core: the tunnel listener.
    pub tunnel: Option<Tunnel>,
    /// Core: the services behind it.
    #[serde(default, rename = "service")]
    pub services: Vec<Service>,
    /// Core: the listeners beside the servers.
    #[serde(default, rename = "reverse_listener")]
    pub reverse_listeners: Vec<ReverseListener>,
    /// Core: whether and where copies are kept.
    pub archive: Option<Archive>,
    /// Data threads; one per core when it is not given.
    pub threads: Option<usize>,
}

/// Which half of a pair a gateway is.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Beside devices.
    Edge,
    /// Beside servers.
    Core,
}

/// `[ops]`
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ops {
    /// Address of metrics and health.
    pub listen: SocketAddr,
}

/// `[[route]]`
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The device that connects here.
    pub device: String,
    /// What it speaks.
    pub protocol: String,
    /// Address the device connects to.
    pub listen: SocketAddr,
    /// Tunnel listener of the core gateway, `host:port`.
    pub core: String,
    /// The core gateway's id, verified against its certificate.
    pub core_id: String,
    /// What the core calls the service.
    pub service: String,
}

/// `[[reverse_route]]`
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReverseRoute {
    /// The device that is connected to.
    pub device: String,
    /// What is spoken.
    pub protocol: String,
    /// Where the device listens, `host:port`.
    pub target: String,
    /// Tunnel listener of the core gateway, `host:port`.
    pub core: String,
    /// The core gateway's id, verified against its certificate.
    pub core_id: String,
    /// What the core calls the device's server.
    pub service: String,
}

/// `[[reverse_listener]]`
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReverseListener {
    /// The device that is connected to.
    pub device: String,
    /// What is spoken.
    pub protocol: String,
    /// Address the server connects to.
    pub listen: SocketAddr,
    /// What the edge calls the device's server.
    pub service: String,
}

/// `[tunnel]`
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tunnel {
    /// Address edges connect to.
    pub listen: SocketAddr,
}

/// `[[service]]`
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// What edges call it.
    pub name: String,
    /// What it speaks.
    pub protocol: String,
    /// The server's address, `host:port`.
    pub upstream: String,
    /// Devices that may reach it.
    pub devices: Vec<String>,
}

/// `[archive]`
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// Whether copies are kept.
    pub mode: ArchiveMode,
    /// Folder of the segments.
    pub dir: PathBuf,
}

/// Whether copies are kept.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum ArchiveMode {
    /// Every payload is sealed and kept.
    On,
    /// Nothing is kept.
    Off,
}
