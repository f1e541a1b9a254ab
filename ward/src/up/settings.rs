//! The settings files of the processes, as they follow from the cluster's file and the routes.

use std::collections::BTreeMap;
use std::path::Path;

use gateway_proxy::config::written as gateway;
use kms_client::identity::{Endpoint, IdentityDir, NodeId};
use kms_server::config::{ConfigFile, FileSealSection, ListenSection, PeerSection, SealSection};
use serde::Serialize;

use super::cluster_file::{ClusterFile, NodePorts};
use super::doors::{Door, Way};
use super::layout::{Layout, ProcessName, make_private};
use super::plan::Wishes;
use super::ports::local;
use crate::cli::ArchiveMode;
use crate::error::{Failure, Reason};
use crate::route::Protocol;

/// What the settings follow from.
pub(crate) struct Settings<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) cluster: &'a ClusterFile,
    pub(crate) wishes: &'a Wishes,
}

impl Settings<'_> {
    /// Writes the settings of `name`.
    pub(crate) fn write(&self, name: ProcessName) -> Result<(), Failure> {
        let text = match name {
            ProcessName::Node(number) => self.node(number)?,
            ProcessName::Edge => to_toml(&self.edge())?,
            ProcessName::Core => to_toml(&self.core())?,
        };
        make_private(&self.layout.home(name))?;
        let text = format!("# Written by `ward up` at every start.\n{text}");
        write(&self.layout.config(name), &text)
    }

    fn node(&self, number: u64) -> Result<String, Failure> {
        let Some(own) = self.cluster.node(number) else {
            return Err(Failure::new(
                Reason::INTERNAL,
                format!("node-{number} has no ports"),
            ));
        };
        let peer = |node: &NodePorts| PeerSection {
            node_id: node.id,
            address: local(node.peer).to_string(),
        };
        let others = self.cluster.nodes.iter().filter(|node| node.id != own.id);
        let file = ConfigFile {
            data_dir: self.layout.home(ProcessName::Node(number)),
            listen: ListenSection {
                api: local(own.api).to_string(),
                peer: local(own.peer).to_string(),
                join: local(own.join).to_string(),
                ops: local(own.ops).to_string(),
            },
            advertise: None,
            seal: SealSection {
                file: FileSealSection {
                    path: self.layout.seal(),
                },
            },
            membership: None,
            log: None,
            peers: others.map(peer).collect(),
        };
        file.to_toml().map_err(|error| not_written(&error))
    }

    fn edge(&self) -> gateway::Written {
        let own_port = local(self.cluster.core.tunnel);
        let core = self.wishes.core_address.unwrap_or(own_port);
        let route = |door: &Door| gateway::Route {
            device: door.route.device.to_string(),
            protocol: door.route.protocol.to_string(),
            listen: door.listen,
            core: core.to_string(),
            core_id: ProcessName::Core.to_string(),
            service: door.route.service(),
        };
        let reverse = |door: &Door| gateway::ReverseRoute {
            device: door.route.device.to_string(),
            protocol: door.route.protocol.to_string(),
            target: door.route.upstream.to_string(),
            core: core.to_string(),
            core_id: ProcessName::Core.to_string(),
            service: door.route.service(),
        };
        gateway::Written {
            routes: self.doors_of(Way::ToService).map(route).collect(),
            reverse_routes: self.doors_of(Way::ToDevice).map(reverse).collect(),
            ..self.gateway(
                ProcessName::Edge,
                gateway::Role::Edge,
                self.cluster.edge.ops,
            )
        }
    }

    fn core(&self) -> gateway::Written {
        let mode = match self.wishes.archive {
            ArchiveMode::On => gateway::ArchiveMode::On,
            ArchiveMode::Off => gateway::ArchiveMode::Off,
        };
        let listener = |door: &Door| gateway::ReverseListener {
            device: door.route.device.to_string(),
            protocol: door.route.protocol.to_string(),
            listen: door.listen,
            service: door.route.service(),
        };
        gateway::Written {
            tunnel: Some(gateway::Tunnel {
                listen: local(self.cluster.core.tunnel),
            }),
            services: services(self.doors_of(Way::ToService)),
            reverse_listeners: self.doors_of(Way::ToDevice).map(listener).collect(),
            archive: Some(gateway::Archive {
                mode,
                dir: self.layout.archive(),
            }),
            ..self.gateway(
                ProcessName::Core,
                gateway::Role::Core,
                self.cluster.core.ops,
            )
        }
    }

    fn doors_of(&self, way: Way) -> impl Iterator<Item = &Door> {
        self.wishes.doors.iter().filter(move |door| door.way == way)
    }

    /// What both roles have.
    fn gateway(&self, name: ProcessName, role: gateway::Role, ops: u16) -> gateway::Written {
        gateway::Written {
            id: name.to_string(),
            role,
            identity_dir: self.layout.identity(name),
            state_dir: self.layout.home(name),
            ops: gateway::Ops { listen: local(ops) },
            routes: Vec::new(),
            reverse_routes: Vec::new(),
            tunnel: None,
            services: Vec::new(),
            reverse_listeners: Vec::new(),
            archive: None,
            threads: None,
        }
    }
}

/// Writes where the nodes are into every identity that exists.
pub(crate) fn write_endpoints(layout: &Layout, cluster: &ClusterFile) -> Result<(), Failure> {
    let endpoints: Vec<Endpoint> = cluster.nodes.iter().map(endpoint).collect();
    for folder in [
        layout.operator(),
        layout.identity(ProcessName::Edge),
        layout.identity(ProcessName::Core),
    ] {
        if folder.exists() {
            IdentityDir::new(folder).store_endpoints(&endpoints)?;
        }
    }
    Ok(())
}

fn endpoint(node: &NodePorts) -> Endpoint {
    Endpoint {
        node_id: NodeId(node.id),
        api: local(node.api).to_string(),
        join: Some(local(node.join).to_string()),
    }
}

/// One service for each protocol and upstream, open to every device with a route to it.
fn services<'a>(doors: impl Iterator<Item = &'a Door>) -> Vec<gateway::Service> {
    let mut services = BTreeMap::<String, (Protocol, String, Vec<String>)>::new();
    for Door { route, .. } in doors {
        let upstream = route.upstream.to_string();
        let entry = services.entry(route.service());
        let (_, _, devices) = entry.or_insert((route.protocol, upstream, Vec::new()));
        let device = route.device.to_string();
        if !devices.contains(&device) {
            devices.push(device);
        }
    }
    services
        .into_iter()
        .map(|(name, (protocol, upstream, devices))| gateway::Service {
            name,
            protocol: protocol.to_string(),
            upstream,
            devices,
        })
        .collect()
}

fn to_toml(value: &impl Serialize) -> Result<String, Failure> {
    toml::to_string(value).map_err(|error| not_written(&error))
}

fn not_written(error: &toml::ser::Error) -> Failure {
    let sentence = format!("the settings cannot be written ({error}): use a path that is UTF-8");
    Failure::new(Reason::INVALID_ARGUMENT, sentence)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    sys::file::write_atomic(path, text.as_bytes(), 0o600)
        .map_err(|error| Failure::io("the settings", &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors(routes: &[&str]) -> Vec<Door> {
        let door = |text: &&str| Door::find(text.parse().unwrap(), Way::ToService).unwrap();
        routes.iter().map(door).collect()
    }

    #[test]
    fn routes_to_one_upstream_share_a_service() {
        let doors = doors(&[
            "a:hl7@127.0.0.1:1=10.0.0.1:9",
            "b:hl7@127.0.0.1:2=10.0.0.1:9",
            "a:hl7@127.0.0.1:3=10.0.0.1:9",
            "a:tcp@127.0.0.1:4=10.0.0.1:9",
        ]);
        let services = services(doors.iter());
        assert_eq!(services.len(), 2);
        assert_eq!(services[0].name, "hl7@10.0.0.1:9");
        assert_eq!(services[0].devices, ["a", "b"]);
        assert_eq!(services[1].devices, ["a"]);
    }

    #[test]
    fn every_process_reads_its_settings_back() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::create(dir.path()).unwrap();
        let cluster = ClusterFile::plan(3).unwrap();
        let mut doors = doors(&["a:hl7@127.0.0.1:1=[::1]:9", "b:tcp@[::1]:2=lis:9"]);
        let back = "c:dicom@127.0.0.1:3=127.0.0.1:4".parse().unwrap();
        doors.push(Door::find(back, Way::ToDevice).unwrap());
        let wishes = Wishes {
            doors,
            archive: ArchiveMode::On,
            core_address: None,
        };
        let settings = Settings {
            layout: &layout,
            cluster: &cluster,
            wishes: &wishes,
        };
        for name in [ProcessName::Node(1), ProcessName::Edge, ProcessName::Core] {
            settings.write(name).unwrap();
        }
        let node = kms_server::Config::load(&layout.config(ProcessName::Node(1))).unwrap();
        assert_eq!(node.peers.len(), 2);
        for gateway in [ProcessName::Edge, ProcessName::Core] {
            gateway_proxy::config::Config::load(&layout.config(gateway)).unwrap();
        }
        for (gateway, reverse) in [
            (ProcessName::Edge, "reverse_route"),
            (ProcessName::Core, "reverse_listener"),
        ] {
            let written = std::fs::read_to_string(layout.config(gateway)).unwrap();
            assert_eq!(written.matches(reverse).count(), 1, "{written}");
        }
    }
}
