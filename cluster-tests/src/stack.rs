//! Starts, kills and stops a whole `ward up`, and speaks to it through the tool.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use kms_client::reason::Reason;
use rustix::process::{Pid, Signal};
use sys::port::KeptPort;

use crate::{files, wait};

/// What to start.
#[derive(Clone)]
pub struct Plan {
    /// The tool.
    pub ward: PathBuf,
    /// The data directory.
    pub dir: PathBuf,
    /// KMS nodes.
    pub nodes: usize,
    /// `DEVICE:PROTOCOL@LISTEN=UPSTREAM` each.
    pub routes: Vec<String>,
    /// `DEVICE:PROTOCOL@LISTEN=DEVICE_ADDRESS` each.
    pub reverse_routes: Vec<String>,
    /// Whether objects are archived.
    pub archive: bool,
    /// What the processes log, as `WARD_LOG` says it; the default where there is none.
    pub log: Option<String>,
    /// How long a start may take.
    pub patience: Duration,
}

impl Plan {
    /// A plan with three nodes, an archive and no route.
    pub fn new(ward: impl Into<PathBuf>, dir: impl Into<PathBuf>) -> Self {
        Self {
            ward: ward.into(),
            dir: dir.into(),
            nodes: 3,
            routes: Vec::new(),
            reverse_routes: Vec::new(),
            archive: true,
            log: None,
            patience: wait::DEADLINE,
        }
    }

    /// Sets the number of nodes.
    #[must_use]
    pub fn nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// Sets what the processes log: a level or directives.
    #[must_use]
    pub fn log(mut self, filter: &str) -> Self {
        self.log = Some(filter.to_owned());
        self
    }

    /// Sets how long a start may take.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The file with what `ward up` itself says.
    pub fn talk(&self) -> PathBuf {
        self.dir.with_extension("stderr")
    }

    /// Adds a route and returns where its device connects.
    pub fn route(&mut self, device: &str, protocol: &str, upstream: SocketAddr) -> SocketAddr {
        let listen = free_address();
        self.routes
            .push(format!("{device}:{protocol}@{listen}={upstream}"));
        listen
    }

    /// Adds a reverse route and returns where the server connects to reach the device.
    pub fn reverse_route(
        &mut self,
        device: &str,
        protocol: &str,
        target: SocketAddr,
    ) -> SocketAddr {
        let listen = free_address();
        self.reverse_routes
            .push(format!("{device}:{protocol}@{listen}={target}"));
        listen
    }

    /// Starts it and waits until every edge listener is bound.
    ///
    /// # Panics
    /// When it ends or is not ready in time; its output goes into the message.
    pub fn start(&self) -> Stack {
        let ready = self.dir.with_extension("ready");
        files::remove(&ready);
        let talk = self.talk();
        let errors = fs::File::create(&talk).expect("the parent directory is writable");
        let mut command = Command::new(&self.ward);
        command.arg("up").arg("--data-dir").arg(&self.dir);
        command.args(["--nodes", &self.nodes.to_string()]);
        command.args(["--archive", if self.archive { "on" } else { "off" }]);
        command.arg("--ready-file").arg(&ready);
        for route in &self.routes {
            command.args(["--route", route]);
        }
        for route in &self.reverse_routes {
            command.args(["--reverse-route", route]);
        }
        if let Some(filter) = &self.log {
            command.env("WARD_LOG", filter);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors);
        let up = command.spawn().expect("the tool can be started");
        let mut stack = Stack {
            plan: self.clone(),
            up,
        };
        let ready = wait::within(self.patience, || {
            if let Some(status) = stack.up.try_wait().expect("our own child") {
                let said = fs::read_to_string(&talk).unwrap_or_default();
                panic!("ward up ended with {status}: {said}");
            }
            ready.exists().then_some(())
        });
        let seconds = self.patience.as_secs();
        ready.unwrap_or_else(|| panic!("waited {seconds} s in vain: ward up is ready"));
        stack
    }
}

/// A running `ward up`. Dropping it kills it.
pub struct Stack {
    plan: Plan,
    up: Child,
}

impl Stack {
    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.plan.dir
    }

    /// Runs the tool against this stack.
    ///
    /// # Panics
    /// When the tool cannot be started.
    pub fn ward(&self, args: &[&str]) -> Output {
        self.ward_with_input(args, b"")
    }

    /// Runs the tool with `input` on its standard input.
    ///
    /// # Panics
    /// When the tool cannot be started.
    pub fn ward_with_input(&self, args: &[&str], input: &[u8]) -> Output {
        let mut child = Command::new(&self.plan.ward)
            .arg("--data-dir")
            .arg(self.dir())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the tool can be started");
        let mut stdin = child.stdin.take().expect("asked for a pipe");
        let input = input.to_vec();
        let feeder = std::thread::spawn(move || {
            // A tool that refuses early closes its end; its exit code tells.
            match stdin.write_all(&input) {
                Ok(()) | Err(_) => drop(stdin),
            }
        });
        let output = child.wait_with_output().expect("our own child");
        feeder.join().expect("the feeder does not panic");
        output
    }

    /// Runs the tool with `--output json` and parses what it says.
    ///
    /// # Panics
    /// When it fails or says something else.
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        let args: Vec<&str> = args.iter().copied().chain(["--output", "json"]).collect();
        let output = self.ward(&args);
        assert!(
            output.status.success(),
            "ward {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).expect("JSON on standard output")
    }

    /// The objects of the archive, oldest first.
    pub fn objects(&self) -> Vec<serde_json::Value> {
        let output = self.ward(&["archive", "list", "--output", "json"]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).expect("a JSON line"))
            .collect()
    }

    /// The process id in `run/<name>.pid`.
    ///
    /// # Panics
    /// When there is none.
    pub fn pid(&self, name: &str) -> Pid {
        let path = self.dir().join("run").join(format!("{name}.pid"));
        wait::until("a pid file", || {
            let text = fs::read_to_string(&path).ok()?;
            Pid::from_raw(text.trim().parse().ok()?)
        })
    }

    /// The names of the processes that have a pid file.
    pub fn processes(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir().join("run")).expect("the run folder");
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".pid").map(str::to_owned))
            .collect();
        names.sort();
        names
    }

    /// Sends SIGKILL to a process of the stack.
    pub fn kill(&self, name: &str) {
        signal(self.pid(name), Signal::KILL);
    }

    /// The name of the leading node, once there is one.
    pub fn leader(&self) -> String {
        wait::until("a leader", || {
            let output = self.ward(&["cluster", "status", "--output", "json"]);
            let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
            Some(format!("node-{}", status["leader"].as_u64()?))
        })
    }

    /// Sends SIGKILL to everything at once.
    pub fn power_off(mut self) -> Plan {
        let children: Vec<Pid> = self.processes().iter().map(|name| self.pid(name)).collect();
        signal(Pid::from_child(&self.up), Signal::KILL);
        for child in &children {
            signal(*child, Signal::KILL);
        }
        self.up.wait().expect("our own child");
        // Until then a port may still be theirs.
        wait::until("every process is gone", || {
            (!children.iter().any(|child| is_alive(*child))).then_some(())
        });
        self.plan.clone()
    }

    /// Sends SIGTERM and waits for a clean end.
    ///
    /// # Panics
    /// When it does not end with success.
    pub fn stop(mut self) -> Plan {
        signal(Pid::from_child(&self.up), Signal::TERM);
        let status = wait::until("ward up stops", || {
            self.up.try_wait().expect("our own child")
        });
        assert!(status.success(), "ward up ended with {status}");
        self.plan.clone()
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // Its children end with it: they hold the other ends of its pipes.
        if let Ok(None) = self.up.try_wait() {
            signal(Pid::from_child(&self.up), Signal::KILL);
            self.up.wait().expect("our own child");
        }
    }
}

/// Sends a signal; a process that is gone already is fine.
pub fn signal(pid: Pid, signal: Signal) {
    match rustix::process::kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => panic!("cannot signal {pid:?}: {error}"),
    }
}

/// An address of loopback on a port that nobody else is given while this process lives.
///
/// # Panics
/// When loopback has no port left.
pub fn free_address() -> SocketAddr {
    let kept = KeptPort::take().expect("a free port");
    let address = kept.address();
    KEPT.lock().expect("no thread panicked").push(kept);
    address
}

/// Whether a process is there, and not only waiting to be counted by its parent.
fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// As many of them.
pub fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    std::array::from_fn(|_| free_address())
}

/// For processes that bind theirs later, or again after they were killed.
static KEPT: Mutex<Vec<KeptPort>> = Mutex::new(Vec::new());

/// Why the tool refused, when the client library knows that reason.
pub fn reason(output: &Output) -> Option<Reason> {
    refusal(output)?.parse().ok()
}

/// The REASON in the `error[REASON]` that the tool ended with.
pub fn refusal(output: &Output) -> Option<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    let (_, rest) = said.rsplit_once("error[")?;
    let (reason, _) = rest.split_once(']')?;
    Some(reason.to_owned())
}
