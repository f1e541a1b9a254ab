//! Starts `ward up` in a directory of its own, runs verbs against it, and waits for conditions.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use sys::port::KeptPort;
use tempfile::TempDir;

use crate::wall_clock::WallClock;

/// Long enough for a loaded machine; a condition that holds ends the wait at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A data directory and, while it runs, its `ward up`.
pub(crate) struct Stack {
    temporary: TempDir,
    arguments: Vec<String>,
    program: PathBuf,
    ready_file: PathBuf,
    clock: Option<WallClock>,
    up: Option<Child>,
}

impl Stack {
    /// Plans `ward up` with more arguments than `--data-dir` and `--ready-file`.
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        Self {
            program: WARD.into(),
            ready_file: temporary.path().join("ready"),
            temporary,
            arguments: arguments.iter().map(ToString::to_string).collect(),
            clock: None,
            up: None,
        }
    }

    /// Plans it and waits until it is up.
    pub(crate) fn up(arguments: &[&str]) -> Self {
        let mut stack = Self::new(arguments);
        stack.start();
        stack
    }

    /// Runs another file than the one that cargo built.
    pub(crate) fn run_by(&mut self, program: &Path) {
        program.clone_into(&mut self.program);
    }

    /// Keeps another time, as do the verbs.
    pub(crate) fn keep_time_by(&mut self, clock: WallClock) {
        self.clock = Some(clock);
    }

    /// The time it keeps.
    pub(crate) fn clock(&self) -> &WallClock {
        self.clock.as_ref().unwrap()
    }

    /// Has the ready file in another place.
    pub(crate) fn ready_at(&mut self, path: &Path) {
        path.clone_into(&mut self.ready_file);
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.temporary.path().join("data")
    }

    /// Starts `ward up` and waits for its ready file.
    pub(crate) fn start(&mut self) {
        self.start_saying_to(self.talk().into());
    }

    /// Starts it with a standard error of its own.
    pub(crate) fn start_saying_to(&mut self, stderr: Stdio) {
        let mut up = self.spawn(stderr);
        let begun = sys::clock::monotonic();
        while !self.ready_file().exists() {
            if let Some(status) = up.try_wait().unwrap() {
                panic!("`ward up` ended ({status}):\n{}", self.said());
            }
            assert!(begun.elapsed() < PATIENCE, "not ready:\n{}", self.said());
            thread::sleep(Duration::from_millis(10));
        }
        self.up = Some(up);
    }

    /// Runs `ward up` to its end, which must come by itself.
    pub(crate) fn refused(&self) -> (ExitStatus, String) {
        let up = self.spawn_quietly();
        (self.wait_quietly(up), self.said())
    }

    /// Starts `ward up` without waiting for anything.
    pub(crate) fn spawn_quietly(&self) -> Child {
        self.spawn(self.talk().into())
    }

    /// Waits for such a `ward up` to end by itself.
    pub(crate) fn wait_quietly(&self, mut up: Child) -> ExitStatus {
        wait_for("`ward up` to end", || up.try_wait().unwrap())
    }

    fn talk(&self) -> File {
        File::create(self.temporary.path().join("talk")).unwrap()
    }

    fn spawn(&self, stderr: Stdio) -> Child {
        self.command(&self.program)
            .arg("up")
            .arg("--data-dir")
            .arg(self.dir())
            .arg("--ready-file")
            .arg(self.ready_file())
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap()
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some(clock) = &self.clock {
            clock.apply(&mut command);
        }
        command
    }

    /// What `ward up` said on standard error so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.temporary.path().join("talk")).unwrap_or_default()
    }

    fn ready_file(&self) -> &Path {
        &self.ready_file
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready_file().exists()
    }

    /// Sends a signal to `ward up` itself.
    pub(crate) fn signal(&self, signal: Signal) {
        let up = self.up.as_ref().unwrap();
        kill_process(Pid::from_child(up), signal).unwrap();
    }

    /// Waits for `ward up` to end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let mut up = self.up.take().unwrap();
        wait_for("`ward up` to end", || up.try_wait().unwrap())
    }

    /// Stops `ward up` as Ctrl-C does; it must end well.
    pub(crate) fn stop(&mut self) {
        self.signal(Signal::TERM);
        let status = self.ended();
        assert!(status.success(), "{status}:\n{}", self.said());
    }

    /// The process id in `DIR/run`.
    pub(crate) fn pid(&self, name: &str) -> Option<Pid> {
        let path = self.dir().join("run").join(format!("{name}.pid"));
        Pid::from_raw(std::fs::read_to_string(path).ok()?.trim().parse().ok()?)
    }

    /// Runs a verb, `input` on its standard input.
    pub(crate) fn ward_with(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self
            .command(Path::new(WARD))
            .args(arguments)
            .env("WARD_HOME", self.dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // A verb that refuses early closes its input; what it says is what is looked at.
        let feed = thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        feed.join().unwrap();
        output
    }

    /// Runs a verb.
    pub(crate) fn ward(&self, arguments: &[&str]) -> Output {
        self.ward_with(arguments, b"")
    }

    /// Runs a verb that must work and answers its JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.ward(&[&["--output", "json"], arguments].concat());
        let stdout = succeeded(arguments, output);
        serde_json::from_slice(&stdout).unwrap()
    }

    /// Runs a verb that must be refused, and answers its reason.
    pub(crate) fn reason(&self, arguments: &[&str]) -> String {
        refused(&self.ward(arguments))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let Some(mut up) = self.up.take() else {
            return;
        };
        if thread::panicking() {
            eprintln!("`ward up` said:\n{}", self.said());
        }
        kill_process(Pid::from_child(&up), Signal::TERM).unwrap();
        wait_for("`ward up` to end", || up.try_wait().unwrap());
    }
}

/// The standard output of a verb that must have worked.
pub(crate) fn succeeded(arguments: &[&str], output: Output) -> Vec<u8> {
    let talk = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {talk}");
    output.stdout
}

/// The reason of a verb that must have failed as the contract says: exit 1, one line.
pub(crate) fn refused(output: &Output) -> String {
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{talk}");
    reason_of(&talk)
}

/// The reason in the last line of what was said.
pub(crate) fn reason_of(talk: &str) -> String {
    let line = talk.lines().last().unwrap_or_default();
    let said = line
        .strip_prefix("error[")
        .and_then(|rest| rest.split_once("]: "));
    let Some((reason, _)) = said else {
        panic!("no reason in {talk:?}");
    };
    reason.to_owned()
}

/// Waits until `condition` answers something.
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = sys::clock::monotonic();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process is there, and not only waiting to be counted by its parent.
pub(crate) fn is_alive(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// What cannot run here is skipped on somebody's desk, and says so; where the result counts, it is
/// a failure.
#[track_caller]
#[expect(
    clippy::disallowed_methods,
    reason = "CI is how every CI service says that it is one"
)]
pub(crate) fn skip(what: &str) {
    let counts = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!counts, "cannot run here: {what}");
    eprintln!("skipped: {what}");
}

/// A Python with the package cryptography, for the second implementations of formats. None where
/// that is skipped.
pub(crate) fn python() -> Option<Command> {
    let probe = "import cryptography.x509, cryptography.hazmat.primitives.ciphers.aead";
    let found = Command::new("python3").args(["-c", probe]).output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(Command::new("python3"));
    }
    skip("the formats in Python (install python3 and its package cryptography)");
    None
}

/// An address of the loopback interface that nobody else is given while this process lives.
pub(crate) fn free_address() -> SocketAddr {
    let kept = KeptPort::take().unwrap();
    let address = kept.address();
    KEPT.lock().unwrap().push(kept);
    address
}

/// For processes that bind theirs later, or again.
static KEPT: Mutex<Vec<KeptPort>> = Mutex::new(Vec::new());

/// All files below `dir`.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

pub(crate) const WARD: &str = env!("CARGO_BIN_EXE_ward");
