//! A cluster as on hosts of its own, all of them this machine: three nodes and pairs of gateways,
//! enrolled on the command line, each run with settings of its own.
//!
//! Whoever asks the KMS comes through a [`Relay`] for each node, which is what the nodes tell
//! others of themselves; so a gateway can be cut off from the KMS and from nothing else.
//!
//! [`Relay`]: crate::relay::Relay

mod settings;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use kms_client::reason::Reason;
use rustix::process::{Pid, Signal};
use tokio::runtime::Handle;

use crate::cluster::{Cluster, Equipment, Plan};
use crate::relay::Relay;
use crate::service::{Running, Service};
use crate::stack::{free_address, signal};
use crate::tool::text;

/// The cluster and its gateways while they run. Dropping it kills every process.
pub struct Site {
    // First, so that gateways end before the nodes.
    gateways: BTreeMap<String, Running>,
    cluster: Cluster,
    root: PathBuf,
}

/// A device of a pair.
pub struct Entry {
    /// Its id.
    pub device: String,
    /// Where it connects.
    pub address: SocketAddr,
}

impl Site {
    /// Makes a cluster of three nodes below `root` and waits until all of them vote.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(runtime: &Handle, ward: &Path, root: &Path) -> Self {
        let plan = Plan {
            ward: ward.to_owned(),
            root: root.to_owned(),
            nodes: NODES,
            equipment: Equipment {
                relays: true,
                ..Equipment::default()
            },
        };
        Self {
            gateways: BTreeMap::new(),
            cluster: Cluster::start(runtime, &plan).expect("relays need nothing"),
            root: root.to_owned(),
        }
    }

    /// The folder of the operator's identity.
    pub fn operator(&self) -> PathBuf {
        self.cluster.tool.operator.clone()
    }

    /// Starts the gateways `edge-N` and `core-N`, with a route to `upstream` for each device. A
    /// device is enrolled with the offline allowance that is named, in seconds, or the usual one.
    ///
    /// # Panics
    /// When they do not come up.
    pub fn pair(
        &mut self,
        number: usize,
        devices: &[(String, Option<u32>)],
        upstream: SocketAddr,
    ) -> Vec<Entry> {
        let (edge, core) = (format!("edge-{number}"), format!("core-{number}"));
        let tunnel = free_address();
        let ids: Vec<&str> = devices.iter().map(|(device, _)| device.as_str()).collect();
        self.gateway(
            &core,
            "core",
            &settings::core(&self.root.join(&core), tunnel, upstream, &ids),
        );
        let mut entries = Vec::new();
        let mut settings = String::new();
        for (device, allowance) in devices {
            let mut enroll = vec!["device", "enroll", device, "--gateway", &edge];
            let seconds = allowance.map(|seconds| seconds.to_string());
            if let Some(seconds) = &seconds {
                enroll.extend(["--offline-allowance", seconds]);
            }
            let done = Some(Reason::DeviceExists);
            self.cluster.tool.operate(&enroll, done);
            let address = free_address();
            settings += &settings::route(device, address, tunnel, &core);
            let device = device.clone();
            entries.push(Entry { device, address });
        }
        self.gateway(&edge, "edge", &settings);
        entries
    }

    /// The process of the gateway with this name.
    ///
    /// # Panics
    /// When there is none.
    pub fn pid(&self, name: &str) -> Pid {
        self.gateways
            .get(name)
            .expect("a gateway of the site")
            .pid()
    }

    /// Sends a signal to the gateways with these names.
    pub fn signal(&self, names: &[&str], with: Signal) {
        for name in names {
            signal(self.pid(name), with);
        }
    }

    /// Whether the gateways' ways to the KMS can be told apart here.
    pub fn can_cut_off(&self) -> bool {
        let mut gateways = self.gateways.values();
        gateways.all(|gateway| Relay::can_tell(gateway.pid()))
    }

    /// Cuts these gateways off from the KMS, and from nothing else.
    pub fn cut_off(&self, names: &[&str]) {
        let processes: Vec<Pid> = names.iter().map(|name| self.pid(name)).collect();
        for relay in &self.cluster.relays {
            relay.cut(&processes);
        }
    }

    /// Lets everybody reach the KMS again.
    pub fn mend(&self) {
        for relay in &self.cluster.relays {
            relay.mend();
        }
    }

    /// Asks every process to end; none may fail.
    ///
    /// # Panics
    /// When one does.
    pub fn stop(self) {
        // By name: cores, then edges.
        for gateway in self.gateways.into_values() {
            gateway.stop();
        }
        self.cluster.stop();
    }

    fn gateway(&mut self, name: &str, role: &str, rest: &str) {
        let home = self.root.join(name);
        let mut folder = fs::DirBuilder::new();
        let made = folder.recursive(true).mode(0o700).create(&home);
        made.expect("a folder");
        let home = text(&home);
        let settings = settings::gateway(&home, name, role, free_address(), rest);
        let config = format!("{home}/gateway.toml");
        fs::write(&config, settings).expect("a file");
        let tool = &self.cluster.tool;
        tool.enroll(
            &["--role", role, "--id", name],
            &["--role", role, "--out", &home],
        );
        let service = Service {
            name: name.to_owned(),
            program: tool.program.clone(),
            arguments: ["gateway", "--config", &config].map(String::from).into(),
            environment: Vec::new(),
            folder: self.root.clone(),
        };
        let gateway = self
            .gateways
            .entry(name.to_owned())
            .or_insert_with(|| service.start());
        gateway.wait_ready();
    }
}

/// The data threads of each gateway.
pub const DATA_THREADS: usize = 2;

const NODES: usize = 3;
