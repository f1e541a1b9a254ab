//! A cluster of KMS nodes under test: real processes, enrolled on the command line, and the harm
//! that can be done to them: kill, pause, cut ways, cut power, fill disks, set clocks wrong.

mod ask;
mod boot;
mod build;
mod clock;
mod disk;
mod network;
mod settings;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::runtime::Handle;

use self::boot::Boot;
use self::clock::Clock;
use self::disk::Disk;
use self::network::Network;
use crate::relay::Relay;
use crate::service::{Running, Service};
use crate::stack::signal;
use crate::tool::Tool;

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
    /// A snapshot is written after so many entries, instead of the usual number.
    pub snapshot_entries: Option<u64>,
}

/// Where a node listens.
#[derive(Clone, Copy)]
pub struct Listen {
    /// For clients.
    pub api: SocketAddr,
    /// For other nodes.
    pub peer: SocketAddr,
    /// For who joins.
    pub join: SocketAddr,
    /// For health and metrics.
    pub ops: SocketAddr,
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
    listen: Listen,
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
        build::make_folder(&plan.root);
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

    /// The process of a node, while it runs.
    pub fn pid(&self, node: usize) -> Option<Pid> {
        self.node(node).running.as_ref().map(Running::pid)
    }

    /// Where a node keeps everything.
    pub fn home(&self, node: usize) -> &Path {
        &self.node(node).home
    }

    /// Where a node listens, past any relay.
    pub fn listen(&self, node: usize) -> Listen {
        self.node(node).listen
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

    /// Asks this node to lead; tells whether it does. Where there is no leader, or it is the
    /// leader already, nothing happens.
    ///
    /// # Panics
    /// When the tool cannot be started.
    pub fn ask_to_lead(&self, node: usize) -> bool {
        let mut command = self.tool.command();
        command.args(["cluster", "transfer", "--to", &node.to_string()]);
        let output = command.output().expect("the tool can be started");
        output.status.success()
    }

    /// Cuts the ways from one side to the other, and back if `both_ways`.
    pub fn partition(&self, one: &[usize], other: &[usize], both_ways: bool) {
        self.network.cut(ways(one, other));
        if both_ways {
            self.network.cut(ways(other, one));
        }
    }

    /// Lets everything from one side to the other take so much longer.
    pub fn slow(&self, one: &[usize], other: &[usize], by: Duration) {
        self.network.slow(ways(one, other), by);
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
}

/// Each way from one side to the other.
fn ways(from: &[usize], to: &[usize]) -> Vec<(usize, usize)> {
    let each = |from: &usize| to.iter().map(|to| (*from, *to)).collect::<Vec<_>>();
    from.iter().flat_map(each).collect()
}
