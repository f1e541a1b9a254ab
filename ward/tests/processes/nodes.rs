//! Nodes as on hosts of their own: founded or enrolled on the command line, each a process that is
//! started and ended by the test, of whichever build it names.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use kms_client::Client;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{WARD, free_address, succeeded, wait_for};

/// A cluster and its operator's folder.
pub(crate) struct Nodes {
    dir: TempDir,
    nodes: BTreeMap<u64, Node>,
}

/// A node that was founded or enrolled; its process while it runs.
struct Node {
    ops: SocketAddr,
    process: Option<Child>,
}

impl Nodes {
    /// Makes a cluster of as many voters.
    pub(crate) fn of(count: u64) -> Self {
        let mut nodes = Self {
            dir: tempfile::tempdir().unwrap(),
            nodes: BTreeMap::new(),
        };
        for _ in 0..count {
            nodes.add();
        }
        let tolerance = (count - 1) / 2;
        nodes.until_healthy(count, tolerance);
        nodes
    }

    /// Founds the cluster or lets one more node join, and runs it; answers its number.
    pub(crate) fn add(&mut self) -> u64 {
        let number = self.enroll();
        self.start(number, Path::new(WARD));
        number
    }

    /// Founds the cluster or lets one more node join; answers its number.
    pub(crate) fn enroll(&mut self) -> u64 {
        let number = self.nodes.keys().next_back().map_or(1, |last| last + 1);
        let [api, peer, join, ops] = std::array::from_fn(|_| free_address());
        let home = self.home(number);
        std::fs::create_dir_all(&home).unwrap();
        let (home, seal) = (text(&home), self.text("seal"));
        let settings = format!(
            "data_dir = \"{home}\"\n[listen]\napi = \"{api}\"\npeer = \"{peer}\"\n\
             join = \"{join}\"\nops = \"{ops}\"\n[seal.file]\npath = \"{seal}\"\n"
        );
        std::fs::write(self.config(number), settings).unwrap();
        if number == 1 {
            let (out, operator) = (["--out", &home, "--seal", &seal], self.text("operator"));
            tool(&[&["init"], &out[..], &["--operator-out", &operator]].concat());
        } else {
            let token = self.json(&["token", "create", "--role", "node"]);
            let word = |name: &str| token[name].as_str().unwrap().to_owned();
            let (endpoint, ca, token) = (word("endpoint"), word("ca_sha256"), word("token"));
            let through = [
                "--endpoint",
                &endpoint,
                "--ca-sha256",
                &ca,
                "--token",
                &token,
            ];
            let out = ["--role", "node", "--out", &home, "--seal", &seal];
            tool(&[&["enroll"], &through[..], &out[..]].concat());
        }
        let process = None;
        self.nodes.insert(number, Node { ops, process });
        number
    }

    /// Runs a node by this build and waits until it is ready.
    pub(crate) fn start(&mut self, number: u64, program: &Path) {
        let mut process = self.spawn(number, program);
        let ops = self.nodes[&number].ops;
        wait_for("the node to be ready", || {
            if let Some(status) = process.try_wait().unwrap() {
                panic!("node {number} ended ({status}):\n{}", self.log(number));
            }
            let page = page(ops, "/ready")?;
            page.starts_with("HTTP/1.1 200").then_some(())
        });
        self.node(number).process = Some(process);
    }

    /// Runs a node by this build to its end, which must come by itself; answers what it said.
    pub(crate) fn refused(&self, number: u64, program: &Path) -> String {
        let mut process = self.spawn(number, program);
        let status = wait_for("the node to end", || process.try_wait().unwrap());
        assert!(!status.success(), "node {number} ended well");
        self.log(number)
    }

    /// Stops a node as systemd does; it must end well.
    pub(crate) fn stop(&mut self, number: u64) {
        let status = self.end(number, Signal::TERM);
        assert!(status.success(), "{status}:\n{}", self.log(number));
    }

    /// Ends a node without a word.
    pub(crate) fn kill(&mut self, number: u64) {
        self.end(number, Signal::KILL);
    }

    fn end(&mut self, number: u64, signal: Signal) -> ExitStatus {
        let mut process = self.node(number).process.take().unwrap();
        kill_process(Pid::from_child(&process), signal).unwrap();
        wait_for("the node to end", || process.try_wait().unwrap())
    }

    /// The status, as any node that answers tells it.
    pub(crate) fn status(&self) -> Option<Value> {
        let output = self.ward(&["--output", "json", "cluster", "status"]);
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Waits until as many nodes vote, nothing is wrong with any, and so many may fail.
    pub(crate) fn until_healthy(&self, voters: u64, tolerance: u64) {
        wait_for("a healthy cluster", || {
            let status = self.status()?;
            let nodes = status["nodes"].as_array()?;
            let vote = nodes.iter().all(|node| node["voter"] == true);
            let healthy = status["healthy"] == true && status["failure_tolerance"] == tolerance;
            (vote && healthy && nodes.len() as u64 == voters).then_some(())
        });
    }

    /// What a node's metrics say of one name.
    pub(crate) fn metric(&self, number: u64, name: &str) -> Option<String> {
        let page = page(self.nodes[&number].ops, "/metrics")?;
        let mut lines = page.lines().filter_map(|line| line.split_once(' '));
        lines
            .find(|(told, _)| *told == name)
            .map(|(_, value)| value.to_owned())
    }

    /// Runs a verb as the operator.
    pub(crate) fn ward(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(WARD);
        command.args(arguments).env("WARD_HOME", self.operator());
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a verb that must work and answers its JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.ward(&[&["--output", "json"], arguments].concat());
        serde_json::from_slice(&succeeded(arguments, output)).unwrap()
    }

    /// The folder of the operator's identity.
    pub(crate) fn operator(&self) -> PathBuf {
        self.dir.path().join("operator")
    }

    fn spawn(&self, number: u64, program: &Path) -> Child {
        Command::new(program)
            .args(["node", "--config"])
            .arg(self.config(number))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(self.log_file(number)).unwrap())
            .spawn()
            .unwrap()
    }

    fn node(&mut self, number: u64) -> &mut Node {
        self.nodes.get_mut(&number).unwrap()
    }

    fn home(&self, number: u64) -> PathBuf {
        self.dir.path().join(format!("node-{number}"))
    }

    fn config(&self, number: u64) -> PathBuf {
        self.home(number).join("node.toml")
    }

    fn log_file(&self, number: u64) -> PathBuf {
        self.dir.path().join(format!("node-{number}.log"))
    }

    fn log(&self, number: u64) -> String {
        std::fs::read_to_string(self.log_file(number)).unwrap()
    }

    fn text(&self, name: &str) -> String {
        text(&self.dir.path().join(name))
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for (number, node) in &mut self.nodes {
            let Some(mut process) = node.process.take() else {
                continue;
            };
            if std::thread::panicking() {
                eprintln!("node {number} is ended");
            }
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

/// A thread that creates keys one after the other, each through whichever node serves it.
pub(crate) struct Writer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Written>,
}

/// What became of the writes.
pub(crate) struct Written {
    /// The keys whose creation was answered.
    pub(crate) keys: Vec<String>,
    /// The errors of those that were not.
    pub(crate) failed: Vec<String>,
    /// The longest that one took.
    pub(crate) longest: Duration,
}

impl Writer {
    /// Writes from now on, with names that begin so.
    pub(crate) fn start(nodes: &Nodes, prefix: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (operator, stopped) = (nodes.operator(), stop.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(write(&operator, prefix, &stopped))
        });
        Self { stop, thread }
    }

    /// Stops it. None of its writes may have failed, and all of them must be there.
    pub(crate) fn finish(self, nodes: &Nodes) -> Written {
        self.stop.store(true, Ordering::Relaxed);
        let written = self.thread.join().unwrap();
        assert!(written.failed.is_empty(), "{:?}", written.failed);
        let listed = nodes.json(&["key", "list"]);
        let listed: Vec<_> = listed
            .as_array()
            .unwrap()
            .iter()
            .map(|key| &key["name"])
            .collect();
        for key in &written.keys {
            assert!(listed.iter().any(|name| *name == key), "{key} is lost");
        }
        written
    }
}

async fn write(operator: &Path, prefix: &str, stop: &AtomicBool) -> Written {
    let client = Client::open(operator).unwrap();
    let mut written = Written {
        keys: Vec::new(),
        failed: Vec::new(),
        longest: Duration::ZERO,
    };
    for number in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (name, begun) = (format!("{prefix}-{number}"), sys::clock::monotonic());
        match client.create_key(&name).await {
            Ok(_) => written.keys.push(name),
            Err(error) => written.failed.push(format!("{name}: {error}")),
        }
        written.longest = written.longest.max(begun.elapsed());
    }
    written
}

/// Runs a verb that must work, without an identity; again where the cluster has no leader just now.
fn tool(arguments: &[&str]) {
    wait_for("the tool to find a leader", || {
        let output = Command::new(WARD).args(arguments).output().unwrap();
        let passes = ["NO_LEADER", "NOT_LEADER", "UNAVAILABLE", "NO_QUORUM"];
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if !output.status.success() && passes.iter().any(|it| said.contains(&format!("[{it}]"))) {
            return None;
        }
        succeeded(arguments, output);
        Some(())
    });
}

/// One page of a node, with its head; none when nobody answers.
fn page(ops: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(ops).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: ops\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    Some(page)
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
