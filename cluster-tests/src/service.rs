//! One process of the tool that serves: started as systemd would, its log beside it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal};

use crate::ready::Ready;
use crate::stack::signal;
use crate::wait;

/// How a process is started, as often as it is needed.
#[derive(Clone)]
pub struct Service {
    /// What it is called, here and in its files' names.
    pub name: String,
    /// The tool.
    pub program: PathBuf,
    /// What the tool is told.
    pub arguments: Vec<String>,
    /// What its environment has beside the usual.
    pub environment: Vec<(String, String)>,
    /// Where its log and its readiness socket are.
    pub folder: PathBuf,
}

/// A process that runs; killed when dropped.
pub struct Running {
    name: String,
    log: PathBuf,
    child: Child,
    ready: Ready,
}

impl Service {
    /// The file with what it says, of all its runs.
    pub fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.log", self.name))
    }

    /// Starts it; it need not be ready yet.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(&self) -> Running {
        let socket = self.folder.join(format!("{}.notify", self.name));
        let ready = Ready::listen(&socket);
        let log = append(&self.log());
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env("NOTIFY_SOCKET", &socket);
        let environment = self.environment.iter();
        command.envs(environment.map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        Running {
            name: self.name.clone(),
            log: self.log(),
            child: command.spawn().expect("the tool can be started"),
            ready,
        }
    }
}

impl Running {
    /// Waits until it says that it is ready.
    ///
    /// # Panics
    /// When it ends or is too late, with its log.
    pub fn wait_ready(&mut self) {
        self.ready.wait(&self.name, &mut self.child, &self.log);
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// How it ended, if it did by itself.
    ///
    /// # Panics
    /// Never: it is our own child.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child")
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_end(&mut self) -> ExitStatus {
        let name = self.name.clone();
        wait::until(&format!("{name} ends"), || self.ended())
    }

    /// Asks it to end.
    ///
    /// # Panics
    /// When it does not, or not with success.
    pub fn stop(mut self) {
        signal(self.pid(), Signal::TERM);
        let status = self.wait_end();
        let said = || fs::read_to_string(&self.log).expect("a log");
        let name = &self.name;
        assert!(status.success(), "{name} ended with {status}: {}", said());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing is signalled that was waited for: its number may be somebody else's.
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }
}

fn append(log: &Path) -> fs::File {
    let file = fs::OpenOptions::new().create(true).append(true).open(log);
    let mut file = file.expect("a file");
    writeln!(file, "-- started").expect("a file");
    file
}
