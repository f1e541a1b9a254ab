//! Making a cluster: each node gets its ground, its settings, its identity, and is started.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::boot::Boot;
use super::clock::Clock;
use super::disk::Disk;
use super::{Cluster, Listen, Node, settings};
use crate::relay::Relay;
use crate::service::Service;
use crate::stack::free_addresses;
use crate::tool::text;
use crate::{skip, sockets};

impl Cluster {
    /// Enrols a node and starts it; answers where other nodes reach it.
    pub(super) fn add(&mut self, number: usize, first: Option<SocketAddr>) -> Option<SocketAddr> {
        let name = format!("node-{number}");
        let ground = self.root.join(&name);
        let machine = match self.equipment.disk_bytes {
            Some(bytes) => Some(self.machine_for(&name, &ground, bytes)?),
            None => None,
        };
        let clock = match self.equipment.clocks {
            true => Some(self.clock_for(&name)?),
            false => None,
        };
        // Not the top of the disk: ext4 has a folder of its own there.
        let home = ground.join("node");
        make_folder(&home);
        let [api, peer, join, ops] = free_addresses();
        let listen = Listen {
            api,
            peer,
            join,
            ops,
        };
        let told = self.told(number, api, peer);
        let seal = text(&self.root.join("seal"));
        let config = text(&home.join("node.toml"));
        let settings = settings::node(
            &text(&home),
            listen,
            told,
            &seal,
            first,
            self.equipment.snapshot_entries,
        );
        // Synced, so that a power cut does not take it.
        sys::file::write_atomic(Path::new(&config), settings.as_bytes(), 0o600).expect("a file");
        self.enroll(&text(&home), &seal, first.is_none());
        let arguments = ["node", "--config", &config].map(String::from);
        let (program, arguments) = match &machine {
            Some((_, boot)) => boot.on(&self.tool.program, &arguments),
            None => (self.tool.program.clone(), arguments.into()),
        };
        let clock_environment = clock.as_ref().map(Clock::environment);
        self.nodes.push(Node {
            running: None,
            service: Service {
                name,
                program,
                arguments,
                environment: clock_environment.unwrap_or_default(),
                folder: self.root.clone(),
            },
            home,
            api: told.api,
            listen,
            machine,
            clock,
        });
        self.restart(number);
        let running = self.node_mut(number).running.as_mut();
        running.expect("it was started").wait_ready();
        self.can_tell(number).then_some(told.peer)
    }

    fn told(&mut self, number: usize, api: SocketAddr, peer: SocketAddr) -> settings::Told {
        let mut told = settings::Told { api, peer };
        if self.equipment.relays {
            let relay = Relay::start(&self.runtime, api);
            told.api = relay.address;
            self.relays.push(relay);
        }
        if self.equipment.network {
            told.peer = self.network.door(number, peer);
        }
        told
    }

    fn enroll(&self, home: &str, seal: &str, is_first: bool) {
        if is_first {
            let operator = text(&self.tool.operator);
            let here = ["init", "--out", home, "--seal", seal];
            self.tool
                .run(&[&here[..], &["--operator-out", &operator]].concat());
        } else {
            self.tool
                .enroll(&["--role", "node"], &["--out", home, "--seal", seal]);
        }
    }

    fn machine_for(&self, name: &str, at: &Path, bytes: u64) -> Option<(Disk, Boot)> {
        let disk = Disk::make(&self.root, name, at, bytes);
        if disk.is_none() {
            skip::skip("power cuts (only root can mount a disk; needs e2fsprogs)");
        }
        Some((disk?, Boot::first(&self.root, name)))
    }

    fn clock_for(&self, name: &str) -> Option<Clock> {
        let clock = Clock::find(&self.root, name);
        if clock.is_none() {
            skip::skip("another wall clock (install faketime)");
        }
        clock
    }

    fn can_tell(&self, node: usize) -> bool {
        let pid = self.pid(node).expect("it runs");
        let can = !self.equipment.network || sockets::can_tell(pid);
        if !can {
            skip::skip("ways between nodes (only root sees whose a connection is)");
        }
        can
    }
}

pub(super) fn make_folder(path: &Path) {
    let mut folder = fs::DirBuilder::new();
    let made = folder.recursive(true).mode(0o700).create(path);
    made.expect("a folder");
}
