//! A cluster as on hosts of its own, all of them this machine: three nodes and pairs of gateways,
//! enrolled on the command line, each run with settings of its own.
//!
//! Whoever asks the KMS comes through a [`Relay`] for each node, which is what the nodes tell
//! others of themselves; so a gateway can be cut off from the KMS and from nothing else.

mod settings;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use kms_client::reason::Reason;
use rustix::process::{Pid, Signal};
use tokio::runtime::Handle;

use crate::ready::Ready;
use crate::relay::Relay;
use crate::stack::{free_address, free_addresses, reason, signal};
use crate::wait;

/// The cluster while it runs. Dropping it kills every process.
pub struct Site {
    ward: PathBuf,
    root: PathBuf,
    relays: Vec<Relay>,
    /// The first node's, where others look for members first.
    peer: Option<SocketAddr>,
    processes: BTreeMap<String, Child>,
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
        let mut site = Self {
            ward: ward.to_owned(),
            root: root.to_owned(),
            relays: Vec::new(),
            peer: None,
            processes: BTreeMap::new(),
        };
        for number in 1..=NODES {
            site.node(runtime, number);
        }
        wait::until("all nodes vote", || {
            let status = site.json(&["cluster", "status"]);
            let nodes = status["nodes"].as_array()?;
            let votes =
                |node: &&serde_json::Value| node["role"] == "leader" || node["role"] == "follower";
            (nodes.iter().filter(votes).count() == NODES).then_some(())
        });
        site
    }

    /// The folder of the operator's identity.
    pub fn operator(&self) -> PathBuf {
        self.root.join("operator")
    }

    /// Runs the tool as the operator and parses what it says.
    ///
    /// # Panics
    /// When it fails or says something else.
    pub fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let said = self.operate(arguments, None);
        serde_json::from_slice(&said).expect("JSON on standard output")
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
            self.operate(&enroll, Some(Reason::DeviceExists));
            let address = free_address();
            settings += &settings::route(device, address, tunnel, &core);
            let device = device.clone();
            entries.push(Entry { device, address });
        }
        self.gateway(&edge, "edge", &settings);
        entries
    }

    /// The process with this name.
    ///
    /// # Panics
    /// When there is none.
    pub fn pid(&self, name: &str) -> Pid {
        Pid::from_child(self.processes.get(name).expect("a process of the site"))
    }

    /// Sends a signal to the processes with these names.
    pub fn signal(&self, names: &[&str], with: Signal) {
        for name in names {
            signal(self.pid(name), with);
        }
    }

    /// Whether the processes' ways to the KMS can be told apart here.
    pub fn can_cut_off(&self) -> bool {
        self.processes
            .values()
            .all(|process| Relay::can_tell(Pid::from_child(process)))
    }

    /// Cuts these processes off from the KMS, and from nothing else.
    pub fn cut_off(&self, names: &[&str]) {
        let processes: Vec<Pid> = names.iter().map(|name| self.pid(name)).collect();
        for relay in &self.relays {
            relay.cut(&processes);
        }
    }

    /// Lets everybody reach the KMS again.
    pub fn mend(&self) {
        for relay in &self.relays {
            relay.mend();
        }
    }

    /// Asks every process to end; none may fail.
    ///
    /// # Panics
    /// When one does.
    pub fn stop(mut self) {
        let logs: Vec<PathBuf> = self.processes.keys().map(|it| self.log_file(it)).collect();
        // By name: cores, edges, nodes. All stay the site's, which kills what is left of them.
        for ((name, process), log) in self.processes.iter_mut().zip(logs) {
            signal(Pid::from_child(process), Signal::TERM);
            let status = wait::until(name, || process.try_wait().expect("our own child"));
            let said = || fs::read_to_string(&log).expect("a log");
            assert!(status.success(), "{name} ended with {status}: {}", said());
        }
    }

    fn node(&mut self, runtime: &Handle, number: usize) {
        let name = format!("node-{number}");
        let home = self.make(&name);
        let [api, peer, join, ops] = free_addresses();
        let relay = Relay::start(runtime, api);
        let seal = text(&self.root.join("seal"));
        let first = self.peer;
        let settings = settings::node(&home, [api, peer, join, ops], relay.address, &seal, first);
        self.relays.push(relay);
        let config = format!("{home}/node.toml");
        fs::write(&config, settings).expect("a file");
        if self.peer.is_none() {
            let operator = text(&self.operator());
            let init = [
                "init",
                "--out",
                &home,
                "--seal",
                &seal,
                "--operator-out",
                &operator,
            ];
            self.ward(&init);
            self.peer = Some(peer);
        } else {
            self.enroll(&["--role", "node"], &["--out", &home, "--seal", &seal]);
        }
        self.run(&name, &["node", "--config", &config]);
    }

    fn gateway(&mut self, name: &str, role: &str, rest: &str) {
        let home = self.make(name);
        let settings = settings::gateway(&home, name, role, free_address(), rest);
        let config = format!("{home}/gateway.toml");
        fs::write(&config, settings).expect("a file");
        self.enroll(
            &["--role", role, "--id", name],
            &["--role", role, "--out", &home],
        );
        self.run(name, &["gateway", "--config", &config]);
    }

    fn enroll(&self, invited: &[&str], more: &[&str]) {
        let token = self.json(&[&["token", "create"], invited].concat());
        let word = |name: &str| token[name].as_str().expect("a word").to_owned();
        let (endpoint, hash, secret) = (word("endpoint"), word("ca_sha256"), word("token"));
        let enroll = [
            "enroll",
            "--endpoint",
            &endpoint,
            "--ca-sha256",
            &hash,
            "--token",
            &secret,
        ];
        self.ward(&[&enroll, more].concat());
    }

    fn make(&self, name: &str) -> String {
        let home = self.root.join(name);
        let mut folder = fs::DirBuilder::new();
        folder
            .recursive(true)
            .mode(0o700)
            .create(&home)
            .expect("a folder");
        text(&home)
    }

    /// Runs the tool as the operator.
    fn operate(&self, arguments: &[&str], done: Option<Reason>) -> Vec<u8> {
        let operator = text(&self.operator());
        let first = ["--data-dir", &operator, "--output", "json"];
        self.ward_once(&[&first, arguments].concat(), done)
    }

    /// Runs the tool; again where it says that its reason may pass, as an election does.
    fn ward(&self, arguments: &[&str]) -> Vec<u8> {
        self.ward_once(arguments, None)
    }

    /// The same for what happens once: `done` is the reason for which it is refused when it was
    /// done by a call before, whose answer was lost.
    fn ward_once(&self, arguments: &[&str], done: Option<Reason>) -> Vec<u8> {
        let mut is_repeated = false;
        wait::until("the tool finds a leader", || {
            let mut command = Command::new(&self.ward);
            let output = command.args(arguments).stdin(Stdio::null()).output();
            let output = output.expect("the tool can be started");
            let reason = reason(&output);
            if output.status.success() || is_repeated && done.is_some() && reason == done {
                return Some(output.stdout);
            }
            assert!(
                reason.is_some_and(Reason::may_pass),
                "ward {arguments:?} ended with {}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
            is_repeated = true;
            None
        })
    }

    /// Starts a process and waits until it says that it is ready, as systemd does.
    fn run(&mut self, name: &str, arguments: &[&str]) {
        let path = self.root.join(format!("{name}.notify"));
        let ready = Ready::listen(&path);
        let log_file = self.log_file(name);
        let log = fs::File::create(&log_file).expect("a file");
        let mut command = Command::new(&self.ward);
        command.args(arguments).env("NOTIFY_SOCKET", &path);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let process = command.spawn().expect("the tool can be started");
        // The site's from here on, so that it ends with it whatever comes.
        let process = self.processes.entry(name.to_owned()).or_insert(process);
        ready.wait(name, process, &log_file);
    }

    fn log_file(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.log"))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for process in self.processes.values_mut() {
            // Nothing is signalled that was waited for: its number may be somebody else's.
            process.kill().expect("our own child");
            process.wait().expect("our own child");
        }
    }
}

fn text(path: &Path) -> String {
    path.to_str()
        .expect("a temporary folder has a plain name")
        .to_owned()
}

/// The data threads of each gateway.
pub const DATA_THREADS: usize = 2;

const NODES: usize = 3;
