//! The configuration as meant: every value checked, before a port is bound. Made from
//! [`written::Written`]; taken by [`crate::run`].

mod problems;
mod reverse;
pub mod written;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::ids::{DeviceId, GatewayId, Protocol, ServiceName};
use crate::limits::{CONFIG_BYTES_MAX, ROUTES_MAX};
use written::{ArchiveMode, Role, Written};

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The gateway's own id.
    pub id: GatewayId,
    /// Folder of the gateway's identity.
    pub identity_dir: PathBuf,
    /// Folder for what the gateway keeps.
    pub state_dir: PathBuf,
    /// Address of metrics and health.
    pub ops_listen: SocketAddr,
    /// Data threads.
    pub threads: NonZeroUsize,
    /// What this half of the pair does.
    pub role: RoleConfig,
}

/// What one half of the pair does.
#[derive(Clone, Debug)]
pub enum RoleConfig {
    /// Beside devices.
    Edge(EdgeConfig),
    /// Beside servers.
    Core(CoreConfig),
}

/// The edge's part.
#[derive(Clone, Debug)]
pub struct EdgeConfig {
    /// One listener each.
    pub routes: Vec<Route>,
    /// Ways from servers to devices.
    pub reverse: Vec<ReverseRoute>,
}

/// The edge's part of a way from a server to a device.
#[derive(Clone, Debug)]
pub struct ReverseRoute {
    /// The device.
    pub device: DeviceId,
    /// What is spoken.
    pub protocol: Protocol,
    /// Where the device listens.
    pub target: HostPort,
    /// Where the core gateway is.
    pub core: HostPort,
    /// The core gateway's id.
    pub core_id: GatewayId,
    /// What edge and core call the device's server.
    pub service: ServiceName,
}

/// The core's part of a way from a server to a device.
#[derive(Clone, Debug)]
pub struct ReverseListener {
    /// The device.
    pub device: DeviceId,
    /// What is spoken.
    pub protocol: Protocol,
    /// Address the server connects to.
    pub listen: SocketAddr,
    /// What edge and core call the device's server.
    pub service: ServiceName,
}

/// One device route.
#[derive(Clone, Debug)]
pub struct Route {
    /// The device that connects here.
    pub device: DeviceId,
    /// What it speaks.
    pub protocol: Protocol,
    /// Address the device connects to.
    pub listen: SocketAddr,
    /// Where the core gateway is.
    pub core: HostPort,
    /// The core gateway's id.
    pub core_id: GatewayId,
    /// What the core calls the service.
    pub service: ServiceName,
}

/// The core's part.
#[derive(Clone, Debug)]
pub struct CoreConfig {
    /// Address edges connect to.
    pub tunnel_listen: SocketAddr,
    /// The services behind this core.
    pub services: Vec<Service>,
    /// Listeners beside the servers.
    pub reverse: Vec<Arc<ReverseListener>>,
    /// Where copies are kept, when they are.
    pub archive_dir: Option<PathBuf>,
}

/// One service behind a core.
#[derive(Clone, Debug)]
pub struct Service {
    /// What edges call it.
    pub name: ServiceName,
    /// What it speaks.
    pub protocol: Protocol,
    /// The server.
    pub upstream: HostPort,
    /// Devices that may reach it.
    pub devices: HashSet<DeviceId>,
}

/// `host:port` or `[v6]:port`; a host name is looked up for each connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    host: String,
    port: u16,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; give the path of a gateway.toml")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is larger than any real configuration.
    #[error("{path} is larger than {CONFIG_BYTES_MAX} bytes; give the path of a gateway.toml")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is not the TOML that is expected.
    #[error("{path} is not a gateway configuration: {message}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser found, on one line.
        message: String,
    },
    /// A value is well formed and cannot be meant.
    #[error("{field}: {message}")]
    Meaningless {
        /// The field, as written in the file.
        field: String,
        /// What is wrong with it, and what to write instead.
        message: String,
    },
}

impl Config {
    /// Reads and checks a file. Nothing is opened or bound yet.
    ///
    /// # Errors
    /// The first thing that is wrong, and what to write instead.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let written = Written::load(path)?;
        Self::check(written)
    }

    /// Checks what was written.
    ///
    /// # Errors
    /// The first thing that is wrong, and what to write instead.
    pub fn check(written: Written) -> Result<Self, ConfigError> {
        let role = match written.role {
            Role::Edge => RoleConfig::Edge(edge(&written)?),
            Role::Core => RoleConfig::Core(core(&written)?),
        };
        Ok(Self {
            id: parse("id", &written.id)?,
            identity_dir: written.identity_dir,
            state_dir: written.state_dir,
            ops_listen: written.ops.listen,
            threads: threads(written.threads)?,
            role,
        })
    }
}

impl HostPort {
    /// The host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for HostPort {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const WANTED: &str = "write `host:port` or `[v6]:port`";
        let (host, port) = text.rsplit_once(':').ok_or(WANTED)?;
        let port: u16 = port.parse().map_err(|_| WANTED)?;
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let host = match bare {
            Some(v6) if v6.parse::<std::net::Ipv6Addr>().is_ok() => v6,
            None if !host.is_empty() && !host.contains([':', '[', ']', '/', ' ']) => host,
            Some(_) | None => return Err(WANTED),
        };
        if port == 0 {
            return Err("the port cannot be 0");
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(out, "[{}]:{}", self.host, self.port)
        } else {
            write!(out, "{}:{}", self.host, self.port)
        }
    }
}

fn edge(written: &Written) -> Result<EdgeConfig, ConfigError> {
    refuse_other_role(written.tunnel.is_some(), "tunnel", "core")?;
    refuse_other_role(!written.services.is_empty(), "service", "core")?;
    refuse_other_role(written.archive.is_some(), "archive", "core")?;
    let of_core = !written.reverse_listeners.is_empty();
    refuse_other_role(of_core, "reverse_listener", "core")?;
    at_most(written.routes.len(), "route")?;
    let reverse = reverse::routes(&written.reverse_routes)?;
    let routes = written
        .routes
        .iter()
        .enumerate()
        .map(route)
        .collect::<Result<Vec<_>, _>>()?;
    let mut taken = HashSet::new();
    for (index, route) in routes.iter().enumerate() {
        // Port 0 is given by the system, another one each time.
        if route.listen.port() != 0 && !taken.insert(route.listen) {
            return meaningless(
                format!("route[{index}].listen"),
                format!("{} is the listener of another route too", route.listen),
            );
        }
    }
    Ok(EdgeConfig { routes, reverse })
}

fn route((index, written): (usize, &written::Route)) -> Result<Route, ConfigError> {
    let field = |name: &str| format!("route[{index}].{name}");
    Ok(Route {
        device: parse(&field("device"), &written.device)?,
        protocol: parse(&field("protocol"), &written.protocol)?,
        listen: written.listen,
        core: parse(&field("core"), &written.core)?,
        core_id: parse(&field("core_id"), &written.core_id)?,
        service: parse(&field("service"), &written.service)?,
    })
}

fn core(written: &Written) -> Result<CoreConfig, ConfigError> {
    refuse_other_role(!written.routes.is_empty(), "route", "edge")?;
    let of_edge = !written.reverse_routes.is_empty();
    refuse_other_role(of_edge, "reverse_route", "edge")?;
    let reverse = reverse::listeners(&written.reverse_listeners)?;
    at_most(written.services.len(), "service")?;
    let Some(tunnel) = &written.tunnel else {
        return meaningless(
            "tunnel".into(),
            "a core needs `[tunnel]` with `listen`".into(),
        );
    };
    let services = written
        .services
        .iter()
        .enumerate()
        .map(service)
        .collect::<Result<Vec<_>, _>>()?;
    let mut taken = HashSet::new();
    for (index, service) in services.iter().enumerate() {
        if !taken.insert(&service.name) {
            return meaningless(
                format!("service[{index}].name"),
                format!("`{}` is the name of another service too", service.name),
            );
        }
    }
    let archive = written
        .archive
        .as_ref()
        .filter(|archive| archive.mode == ArchiveMode::On);
    Ok(CoreConfig {
        tunnel_listen: tunnel.listen,
        services,
        reverse,
        archive_dir: archive.map(|archive| archive.dir.clone()),
    })
}

fn service((index, written): (usize, &written::Service)) -> Result<Service, ConfigError> {
    let field = |name: &str| format!("service[{index}].{name}");
    let devices = written
        .devices
        .iter()
        .map(|device| parse(&field("devices"), device));
    Ok(Service {
        name: parse(&field("name"), &written.name)?,
        protocol: parse(&field("protocol"), &written.protocol)?,
        upstream: parse(&field("upstream"), &written.upstream)?,
        devices: devices.collect::<Result<_, _>>()?,
    })
}

fn threads(written: Option<usize>) -> Result<NonZeroUsize, ConfigError> {
    match written {
        None => Ok(std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)),
        Some(count) => NonZeroUsize::new(count).ok_or_else(|| ConfigError::Meaningless {
            field: "threads".into(),
            message: "cannot be 0; leave it out for one per core".into(),
        }),
    }
}

fn parse<T>(field: &str, text: &str) -> Result<T, ConfigError>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error: T::Err| ConfigError::Meaningless {
            field: field.to_owned(),
            message: error.to_string(),
        })
}

fn refuse_other_role(present: bool, field: &str, role: &str) -> Result<(), ConfigError> {
    if present {
        return meaningless(
            field.into(),
            format!("belongs to role `{role}`; remove it here"),
        );
    }
    Ok(())
}

fn at_most(count: usize, field: &str) -> Result<(), ConfigError> {
    if count > ROUTES_MAX {
        return meaningless(
            field.into(),
            format!("{count} entries; {ROUTES_MAX} are the most"),
        );
    }
    Ok(())
}

fn meaningless<T>(field: String, message: String) -> Result<T, ConfigError> {
    Err(ConfigError::Meaningless { field, message })
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
