//! The stack of the demo: `ward up` as a child process, as a user would start it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sys::port::KeptPort;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::error::{Failure, Reason};

/// Where the demo lives.
pub(super) struct Home {
    dir: PathBuf,
    kept: bool,
}

impl Home {
    /// Makes the folder: the one that was asked for, which must be new, or one that goes away.
    pub(super) fn make(asked: Option<PathBuf>) -> Result<Self, Failure> {
        let Some(dir) = asked else {
            let name = format!("ward-demo-{}", envelope::id::ObjectId::random());
            let dir = std::env::temp_dir().join(name);
            return Self::create(dir, false);
        };
        let used = std::fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_some());
        if used {
            let sentence = format!(
                "{} is not empty: name a new folder, so that the demo touches no cluster of yours",
                dir.display()
            );
            return Err(Failure::new(Reason::INVALID_ARGUMENT, sentence));
        }
        Self::create(dir, true)
    }

    fn create(dir: PathBuf, kept: bool) -> Result<Self, Failure> {
        let what = format!("the folder {}", dir.display());
        std::fs::create_dir_all(&dir).map_err(|error| Failure::io(&what, &error))?;
        let dir = dir.canonicalize();
        let dir = dir.map_err(|error| Failure::io(&what, &error))?;
        Ok(Self { dir, kept })
    }

    /// The data directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The data directory, if it stays.
    pub(super) fn kept(&self) -> Option<&Path> {
        self.kept.then_some(self.dir.as_path())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = std::fs::remove_dir_all(&self.dir) {
            let dir = self.dir.display();
            crate::output::say(format_args!("{dir} could not be removed ({error})"));
        }
    }
}

/// A running `ward up`.
pub(super) struct Up {
    child: Child,
    talk: PathBuf,
}

impl Up {
    /// Starts it with these routes and waits until it is up.
    pub(super) async fn start(
        home: &Home,
        routes: &[String],
        core_address: SocketAddr,
    ) -> Result<Self, Failure> {
        let own = home.dir().join("demo");
        std::fs::create_dir_all(&own).map_err(|error| Failure::io("the demo's folder", &error))?;
        let (ready, talk) = (own.join("ready"), own.join("up.log"));
        let log = std::fs::File::create(&talk);
        let log = log.map_err(|error| Failure::io("the demo's log", &error))?;
        let mut command = Command::new(OWN_PROGRAM);
        command.arg0("ward").args(["up", "--supervised"]);
        command.arg("--data-dir").arg(home.dir());
        command.arg("--ready-file").arg(&ready);
        command.arg("--core-address").arg(core_address.to_string());
        for route in routes {
            command.arg("--route").arg(route);
        }
        // It stops when the pipe closes, so it cannot outlive the demo.
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        command.stderr(log).env_remove("WARD_HOME");
        let child = command.spawn();
        let child = child.map_err(|error| Failure::io("cannot start `ward up`", &error))?;
        let mut up = Self { child, talk };
        match timeout(PATIENCE, up.ready(&ready)).await {
            Ok(ready) => ready.map(|()| up),
            Err(_) => Err(up.failed("`ward up` was not ready in time")),
        }
    }

    async fn ready(&mut self, ready: &Path) -> Result<(), Failure> {
        while !ready.exists() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.failed(format!("`ward up` ended with {status}")));
            }
            sleep(INTERVAL).await;
        }
        Ok(())
    }

    fn failed(&self, what: impl Into<String>) -> Failure {
        let said = std::fs::read_to_string(&self.talk).unwrap_or_default();
        let last = said.lines().last().unwrap_or("it said nothing");
        Failure::new(Reason::UNAVAILABLE, format!("{}: {last}", what.into()))
    }

    /// Stops everything in order.
    pub(super) async fn stop(mut self) -> Result<(), Failure> {
        drop(self.child.stdin.take());
        match timeout(PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(self.failed(format!("`ward up` ended with {status}"))),
            Ok(Err(error)) => Err(Failure::io("cannot wait for `ward up`", &error)),
            Err(_) => Err(self.failed("`ward up` did not stop in time")),
        }
    }
}

/// What a verb of the tool answered.
pub(super) struct Answered {
    pub(super) succeeded: bool,
    /// To standard output.
    pub(super) told: String,
    /// To standard error.
    pub(super) said: String,
}

/// Runs a verb against the stack in `dir`, as a user would type it.
pub(super) async fn ward(dir: &Path, verb: &[&str]) -> Result<Answered, Failure> {
    let mut command = Command::new(OWN_PROGRAM);
    command.arg0("ward").arg("--data-dir").arg(dir).args(verb);
    command.env_remove("WARD_HOME").stdin(Stdio::null());
    let output = command.kill_on_drop(true).output().await;
    let output = output.map_err(|error| Failure::io("cannot start `ward`", &error))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    Ok(Answered {
        succeeded: output.status.success(),
        told: text(&output.stdout),
        said: text(&output.stderr),
    })
}

/// A port on loopback for a gateway to listen at.
pub(super) fn keep_port() -> Result<KeptPort, Failure> {
    KeptPort::take().map_err(|error| Failure::io("no free port on loopback", &error))
}

/// This very file, also when it was replaced on disk meanwhile.
const OWN_PROGRAM: &str = "/proc/self/exe";
const PATIENCE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(10);
