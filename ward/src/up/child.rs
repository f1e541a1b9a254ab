//! One process of the stack, from its start to its end.
//!
//! The child gets the read end of a pipe as standard input and exits when `up`, the only holder of
//! the write end, closes it or dies. Its own words go to `DIR/log`; when it ends by itself, the
//! last line `error[REASON]: …` that it wrote there says why.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use sys::notify::{Listener, VARIABLE};
use tokio::process::{ChildStdin, Command};
use tokio::time::{Interval, interval, timeout};

use super::layout::{Layout, ProcessName};
use crate::error::{Failure, Reason};

/// A process that was started.
pub(crate) struct Child {
    process: tokio::process::Child,
    /// Closing it is the order to stop; `None` once that was given.
    pipe: Option<ChildStdin>,
    readiness: Listener,
    ready_since: Option<Instant>,
    log: LogMark,
    log_checks: Interval,
    pid_file: PathBuf,
}

/// What happens to a process.
#[derive(Debug)]
pub(crate) enum Event {
    /// It says that it serves; told once.
    Ready,
    /// It ended by itself.
    Ended(Exit),
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Exit {
    /// What the system says.
    pub(crate) status: ExitStatus,
    /// Why, where it said so.
    pub(crate) last_words: Option<Failure>,
    /// For how long it had been ready.
    pub(crate) ready_for: Duration,
}

impl Child {
    /// Starts `name` from this same binary and records its process id.
    pub(crate) fn start(layout: &Layout, name: ProcessName) -> Result<Self, Failure> {
        let (log, out) = LogMark::open(&layout.log(name))?;
        let (readiness, address) =
            Listener::bind().map_err(|error| Failure::io("the readiness socket", &error))?;
        let verb = match name {
            ProcessName::Node(_) => "node",
            ProcessName::Edge | ProcessName::Core => "gateway",
        };
        let same_log = out
            .try_clone()
            .map_err(|error| Failure::io("the child's log", &error))?;
        let mut process = Command::new(OWN_PROGRAM)
            .arg0("ward")
            .arg(verb)
            .arg("--config")
            .arg(layout.config(name))
            .arg("--supervised")
            .env(VARIABLE, address)
            .env_remove("WARD_HOME")
            .current_dir(layout.root())
            .stdin(Stdio::piped())
            .stdout(same_log)
            .stderr(out)
            .spawn()
            .map_err(|error| Failure::io(format!("cannot start {name}"), &error))?;
        let child = Self {
            pipe: process.stdin.take(),
            process,
            readiness,
            ready_since: None,
            log,
            log_checks: interval(LOG_CHECK_INTERVAL),
            pid_file: layout.pid(name),
        };
        let pid = format!("{}\n", child.pid());
        sys::file::write_atomic(&child.pid_file, pid.as_bytes(), 0o600)
            .map_err(|error| Failure::io("the process id", &error))?;
        Ok(child)
    }

    /// The process id; 0 once the process is gone.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id().unwrap_or(0)
    }

    /// Waits for the next thing that happens to the process.
    pub(crate) async fn next(&mut self) -> Result<Event, Failure> {
        loop {
            if let Some(event) = self.next_or_check().await? {
                return Ok(event);
            }
        }
    }

    async fn next_or_check(&mut self) -> Result<Option<Event>, Failure> {
        let waiting = self.ready_since.is_none();
        tokio::select! {
            // An end first: what was ready for an instant only is dead all the same.
            biased;
            status = self.process.wait() => {
                let status =
                    status.map_err(|error| Failure::io("cannot wait for a child", &error))?;
                Ok(Some(Event::Ended(Exit {
                    status,
                    last_words: self.log.last_words(),
                    ready_for: self.ready_since.map_or(Duration::ZERO, |since| since.elapsed()),
                })))
            }
            heard = self.readiness.ready(), if waiting => {
                heard.map_err(|error| Failure::io("the readiness socket", &error))?;
                self.ready_since = Some(sys::clock::monotonic());
                Ok(Some(Event::Ready))
            }
            _ = self.log_checks.tick() => {
                self.log.limit(LOG_BYTES_MAX);
                Ok(None)
            }
        }
    }

    /// Orders the process to stop and waits for `patience`, then kills it. Answers whether it
    /// ended by itself.
    pub(crate) async fn stop(mut self, patience: Duration) -> Result<bool, Failure> {
        self.pipe = None;
        let by_itself = match timeout(patience, self.process.wait()).await {
            Ok(waited) => {
                waited.map_err(|error| Failure::io("cannot wait for a child", &error))?;
                true
            }
            Err(_late) => {
                let killed = self.process.kill().await;
                killed.map_err(|error| Failure::io("cannot kill a child", &error))?;
                false
            }
        };
        forget_pid(&self.pid_file)?;
        Ok(by_itself)
    }
}

/// Removes the record of a process that is gone and will not come back.
pub(crate) fn forget_pid(pid_file: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(pid_file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::io("cannot remove a process id file", &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Where a child's own words begin in its log.
#[derive(Debug)]
struct LogMark {
    path: PathBuf,
    start: u64,
}

impl LogMark {
    /// Opens the log for appending. Both ends append, so it may be emptied while a child has it
    /// open: the child goes on at the beginning.
    fn open(path: &Path) -> Result<(Self, File), Failure> {
        let wrong = |error| Failure::io(format!("cannot open {}", path.display()), &error);
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(path);
        let file = file.map_err(wrong)?;
        let start = file.metadata().map_err(wrong)?.len();
        let path = path.to_owned();
        Ok((Self { path, start }, file))
    }

    /// Sets a log that has grown beyond `bytes_max` aside, in place of what was set aside before:
    /// one process has two files of this size at most, and what it says between two checks.
    fn limit(&mut self, bytes_max: u64) {
        let grown = std::fs::metadata(&self.path).is_ok_and(|log| log.len() > bytes_max);
        if !grown {
            return;
        }
        if let Err(error) = self.set_aside() {
            tracing::warn!(path = %self.path.display(), %error, "a log cannot be set aside");
        }
    }

    fn set_aside(&mut self) -> std::io::Result<()> {
        let old = self.path.with_extension("log.old");
        // Copied, since the child keeps its file. On a full disk the log is dropped: the disk is
        // needed for what must not be lost.
        if std::fs::copy(&self.path, &old).is_err() {
            std::fs::remove_file(&old)?;
        }
        OpenOptions::new()
            .write(true)
            .open(&self.path)?
            .set_len(0)?;
        self.start = 0;
        Ok(())
    }

    /// The last `error[REASON]: …` since the mark. A log that cannot be read has none.
    fn last_words(&self) -> Option<Failure> {
        let mut file = File::open(&self.path).ok()?;
        let end = file.metadata().ok()?.len();
        let start = self.start.max(end.saturating_sub(LAST_WORDS_BYTES));
        file.seek(SeekFrom::Start(start)).ok()?;
        let mut bytes = Vec::new();
        file.take(LAST_WORDS_BYTES).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let line = text.lines().rev().find(|line| line.starts_with(ERROR))?;
        let (reason, sentence) = line.strip_prefix(ERROR)?.split_once("]: ")?;
        Some(Failure::new(Reason::parse(reason), sentence))
    }
}

const ERROR: &str = "error[";
const LAST_WORDS_BYTES: u64 = 64 * 1024;
const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;
const LOG_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// This very program, also when its file was replaced or removed by an update meanwhile.
const OWN_PROGRAM: &str = "/proc/self/exe";

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn only_words_since_the_start_count() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        let (_, mut file) = LogMark::open(&path).unwrap();
        writeln!(file, "error[SEALED]: from the run before").unwrap();
        let (mark, mut file) = LogMark::open(&path).unwrap();
        assert!(mark.last_words().is_none());
        writeln!(file, "INFO listening").unwrap();
        writeln!(file, "error[PORT_IN_USE]: 127.0.0.1:1 is taken").unwrap();
        writeln!(file, "stopped").unwrap();
        let failure = mark.last_words().unwrap();
        assert_eq!(
            failure.to_string(),
            "error[PORT_IN_USE]: 127.0.0.1:1 is taken"
        );
    }

    #[test]
    fn a_long_log_is_set_aside_under_the_hands_of_its_writer() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.log");
        std::fs::write(&path, "from the run before\n").unwrap();
        let (mut mark, mut file) = LogMark::open(&path).unwrap();
        for round in 0..100 {
            writeln!(file, "line {round}").unwrap();
            mark.limit(64);
            assert!(std::fs::metadata(&path).unwrap().len() <= 64);
        }
        let old = std::fs::read_to_string(dir.path().join("a.log.old")).unwrap();
        assert!(
            old.len() <= 64 + "line 100\n".len() && old.contains("line 9"),
            "{old}"
        );
        mark.limit(0);
        writeln!(file, "error[SEALED]: why").unwrap();
        let words = mark.last_words().unwrap();
        assert_eq!(words.to_string(), "error[SEALED]: why");
    }
}
