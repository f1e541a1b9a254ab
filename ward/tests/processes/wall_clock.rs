//! Another wall clock for the processes of a test, by libfaketime. The clocks that run from the
//! boot stay as they are, so leases and deadlines do not notice.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::skip;

/// A wall clock that is ahead of the machine's, or behind.
pub(crate) struct WallClock {
    library: PathBuf,
    dir: TempDir,
    /// How long a process goes on with the offset that it has read.
    kept_for: Duration,
}

/// How far from the machine's own clock.
#[derive(Clone, Copy)]
pub(crate) enum Offset {
    None,
    Ahead(Duration),
    /// The machine has lost its battery: it was 1970 a minute ago.
    Since1970,
}

impl WallClock {
    /// None where libfaketime is missing, and that is skipped.
    pub(crate) fn find() -> Option<Self> {
        let library = std::fs::read_dir("/usr/lib")
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path().join("faketime/libfaketime.so.1"))
            .find(|library| library.exists());
        if let Some(library) = library {
            let dir = tempfile::tempdir().unwrap();
            let kept_for = Duration::from_secs(1);
            let clock = Self {
                library,
                dir,
                kept_for,
            };
            clock.set(Offset::None);
            return Some(clock);
        }
        skip("another wall clock (install faketime)");
        None
    }

    /// Has each process keep for its whole life the clock that it finds at its start.
    pub(crate) fn fixed_at_start(mut self) -> Self {
        self.kept_for = Duration::from_secs(1_000_000);
        self
    }

    /// Sets the clock of everything that keeps this time; running processes follow within a
    /// second.
    pub(crate) fn set(&self, offset: Offset) {
        let seconds = match offset {
            Offset::None => "+0".to_owned(),
            Offset::Ahead(by) => format!("+{}", by.as_secs()),
            Offset::Since1970 => format!("-{}", sys::clock::wall_ms() / 1_000 - 60),
        };
        let new = self.dir.path().join("new");
        std::fs::write(&new, seconds).unwrap();
        std::fs::rename(new, self.file()).unwrap();
    }

    /// Lets a program keep this time.
    pub(crate) fn apply(&self, program: &mut Command) {
        program
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", self.file())
            .env(
                "FAKETIME_CACHE_DURATION",
                self.kept_for.as_secs().to_string(),
            )
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
    }

    fn file(&self) -> PathBuf {
        Path::join(self.dir.path(), "offset")
    }
}
