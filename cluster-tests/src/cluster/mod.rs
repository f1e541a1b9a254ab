//! A cluster of KMS nodes under test: real processes, enrolled on the command line, and the harm
//! that can be done to them: kill, pause, cut ways, cut power, fill disks, set clocks wrong.

mod boot;
mod clock;
mod disk;
mod network;
mod settings;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kms_client::Client;
use kms_client::identity::{Endpoint, NodeId};
use rustix::process::{Pid, Signal};
use tokio::runtime::Handle;

use self::boot::Boot;
use self::clock::Clock;
use self::disk::Disk;
use self::network::Network;
use crate::relay::Relay;
use crate::service::{Running, Service};
use crate::stack::{free_addresses, signal};
use crate::tool::{Tool, text};
use crate::{skip, sockets, wait};

/// What to start.
pub struct Plan {
    /// The tool.
    pub ward: PathBuf,
    /// An empty folder for everything.
    pub root: PathBuf,
    /// Nodes.
    pub nodes: usize,
    /// What can be done to them.
    pub equipment: Equipment,
}

/// What a cluster has so that more can be done to it than to kill and pause.
#[derive(Clone, Copy, Default)]
pub struct Equipment {
    /// The way from clients to each node can be cut, for some processes.
    pub relays: bool,
    /// The ways between nodes can be cut.
    pub network: bool,
    /// Each node has a disk of its own, of so many bytes.
    pub disk_bytes: Option<u64>,
    /// Each node has a wall clock of its own.
    pub clocks: bool,
}

/// The cluster while it runs. Dropping it kills every process.
pub struct Cluster {
    /// The tool, as the cluster's operator.
    pub tool: Tool,
    /// The way to each node, when it can be cut.
    pub relays: Vec<Relay>,
    runtime: Handle,
    root: PathBuf,
    equipment: Equipment,
    network: Network,
    nodes: Vec<Node>,
}

struct Node {
    // Before the disk, which nobody may use when it is unmounted.
    running: Option<Running>,
    service: Service,
    home: PathBuf,
    api: SocketAddr,
    machine: Option<(Disk, Boot)>,
    clock: Option<Clock>,
}

impl Cluster {
    /// Makes a cluster and waits until all nodes vote. `None` where the equipment is not to be had,
    /// which is skipped by name.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(runtime: &Handle, plan: &Plan) -> Option<Self> {
        make_folder(&plan.root);
        let mut cluster = Self {
            tool: Tool {
                program: plan.ward.clone(),
                operator: plan.root.join("operator"),
            },
            relays: Vec::new(),
            runtime: runtime.clone(),
            root: plan.root.clone(),
            equipment: plan.equipment,
            network: Network::new(runtime),
            nodes: Vec::new(),
        };
        let mut first = None;
        for number in 1..=plan.nodes {
            let peer = cluster.add(number, first)?;
            first = first.or(Some(peer));
        }
        cluster.wait_all_vote();
        Some(cluster)
    }

    /// The numbers of all nodes.
    pub fn numbers(&self) -> impl Iterator<Item = usize> + use<> {
        1..=self.nodes.len()
    }

    /// Where everything of it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A client that asks this node alone, as the operator.
    ///
    /// # Panics
    /// When the operator's identity cannot be read.
    pub fn client(&self, node: usize, deadline: Duration) -> Client {
        self.client_as(&self.tool.operator, Some(node), deadline)
    }

    /// A client with the identity in `folder`, of this node alone where one is named.
    ///
    /// # Panics
    /// When the identity cannot be read.
    pub fn client_as(&self, folder: &Path, node: Option<usize>, deadline: Duration) -> Client {
        let _inside = self.runtime.enter();
        let nodes = self.numbers().zip(&self.nodes);
        let endpoints = nodes.map(|(number, node)| Endpoint {
            node_id: NodeId(number as u64),
            api: node.api.to_string(),
            join: None,
        });
        let mut client = Client::builder()
            .dir(folder)
            .endpoints(endpoints.collect())
            .deadline(deadline);
        if let Some(node) = node {
            client = client.only_node(node as u64);
        }
        client.open().expect("an identity")
    }

    /// The leading node, once there is one.
    ///
    /// # Panics
    /// When there is none in time.
    pub fn leader(&self) -> usize {
        wait::until("a leader", || {
            let leader = self.tool.json(&["cluster", "status"])["leader"].as_u64()?;
            usize::try_from(leader).ok()
        })
    }

    /// Waits until every node votes.
    ///
    /// # Panics
    /// When one does not in time.
    pub fn wait_all_vote(&self) {
        wait::until("all nodes vote", || {
            let status = self.tool.json(&["cluster", "status"]);
            let nodes = status["nodes"].as_array()?;
            let votes =
                |node: &&serde_json::Value| node["role"] == "leader" || node["role"] == "follower";
            (nodes.iter().filter(votes).count() == self.nodes.len()).then_some(())
        });
    }

    /// The process of a node, while it runs.
    pub fn pid(&self, node: usize) -> Option<Pid> {
        self.node(node).running.as_ref().map(Running::pid)
    }

    /// Where a node keeps everything.
    pub fn home(&self, node: usize) -> &Path {
        &self.node(node).home
    }

    /// Whether a node's process has ended by itself.
    ///
    /// # Panics
    /// Never: it is our own child.
    pub fn has_ended(&mut self, node: usize) -> bool {
        let running = &mut self.node_mut(node).running;
        running.as_mut().is_some_and(|it| it.ended().is_some())
    }

    /// Kills a node; it stays down.
    pub fn kill(&mut self, node: usize) {
        drop(self.node_mut(node).running.take());
    }

    /// Starts a node that is down.
    pub fn restart(&mut self, node: usize) {
        self.restart_with(node, &[]);
    }

    /// Starts a node that is down, with more in its environment.
    pub fn restart_with(&mut self, node: usize, environment: &[(String, String)]) {
        let it = self.node_mut(node);
        let mut service = it.service.clone();
        service.environment.extend_from_slice(environment);
        let running = service.start();
        let pid = running.pid();
        it.running = Some(running);
        self.network.is(node, pid);
    }

    /// Stops a node's process where it stands.
    pub fn pause(&self, node: usize) {
        self.signal(node, Signal::STOP);
    }

    /// Lets a paused node go on.
    pub fn resume(&self, node: usize) {
        self.signal(node, Signal::CONT);
    }

    /// Asks this node to lead; that may be refused.
    ///
    /// # Panics
    /// When the tool cannot be started.
    pub fn ask_to_lead(&self, node: usize) {
        let mut command = self.tool.command();
        command.args(["cluster", "transfer", "--to", &node.to_string()]);
        // Where there is no leader, or it is the leader, nothing happens.
        drop(command.output().expect("the tool can be started"));
    }

    /// Cuts the ways from one side to the other, and back if `both_ways`.
    pub fn partition(&self, one: &[usize], other: &[usize], both_ways: bool) {
        let ways = |from: &[usize], to: &[usize]| {
            let each = |from: &usize| to.iter().map(|to| (*from, *to)).collect::<Vec<_>>();
            from.iter().flat_map(each).collect::<Vec<_>>()
        };
        self.network.cut(ways(one, other));
        if both_ways {
            self.network.cut(ways(other, one));
        }
    }

    /// Opens all ways between nodes.
    pub fn heal(&self) {
        self.network.heal();
    }

    /// Cuts the power of these nodes at once: they are killed, and their disks lose what was not
    /// synced. They stay down.
    ///
    /// # Panics
    /// When a node has no disk of its own.
    pub fn cut_power(&mut self, nodes: &[usize]) {
        for node in nodes {
            self.signal(*node, Signal::KILL);
        }
        for node in nodes {
            self.kill(*node);
            let machine = self.node_mut(*node).machine.as_mut();
            let (disk, boot) = machine.expect("a disk of its own");
            disk.cut_power();
            boot.again();
        }
    }

    /// Fills a node's disk.
    ///
    /// # Panics
    /// When it has none of its own.
    pub fn fill_disk(&self, node: usize) {
        self.disk(node).fill();
    }

    /// Gives a full disk room again.
    ///
    /// # Panics
    /// When it has none of its own.
    pub fn empty_disk(&self, node: usize) {
        self.disk(node).empty();
    }

    /// Sets a node's wall clock off by so much, ahead or behind.
    ///
    /// # Panics
    /// When it has none of its own.
    pub fn skew_clock(&self, node: usize, by: Duration, ahead: bool) {
        let clock = self.node(node).clock.as_ref();
        clock.expect("a clock of its own").set(by, ahead);
    }

    /// Asks every process to end; none may fail.
    ///
    /// # Panics
    /// When one does.
    pub fn stop(mut self) {
        for node in &mut self.nodes {
            if let Some(running) = node.running.take() {
                running.stop();
            }
        }
    }

    fn node(&self, number: usize) -> &Node {
        &self.nodes[number - 1]
    }

    fn node_mut(&mut self, number: usize) -> &mut Node {
        &mut self.nodes[number - 1]
    }

    fn disk(&self, node: usize) -> &Disk {
        let machine = self.node(node).machine.as_ref();
        &machine.expect("a disk of its own").0
    }

    fn signal(&self, node: usize, with: Signal) {
        if let Some(pid) = self.pid(node) {
            signal(pid, with);
        }
    }

    /// Enrols a node and starts it; answers where other nodes reach it.
    fn add(&mut self, number: usize, first: Option<SocketAddr>) -> Option<SocketAddr> {
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
        let listen @ [api, peer, _, _] = free_addresses();
        let told = self.told(number, api, peer);
        let seal = text(&self.root.join("seal"));
        let config = text(&home.join("node.toml"));
        let settings = settings::node(&text(&home), listen, told, &seal, first);
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

fn make_folder(path: &Path) {
    let mut folder = fs::DirBuilder::new();
    let made = folder.recursive(true).mode(0o700).create(path);
    made.expect("a folder");
}
