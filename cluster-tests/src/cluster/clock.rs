//! A wall clock of a node's own, by libfaketime. The clocks that run from the boot stay as they
//! are.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// How far a process's wall clock is from the machine's.
pub(super) struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// A clock without offset that is kept in `folder`; `None` where libfaketime is missing.
    pub(super) fn find(folder: &Path, name: &str) -> Option<Self> {
        let libraries = std::fs::read_dir("/usr/lib")
            .into_iter()
            .flatten()
            .flatten();
        let library = libraries
            .map(|entry| entry.path().join("faketime/libfaketime.so.1"))
            .find(|library| library.exists())?;
        let clock = Self {
            library,
            file: folder.join(format!("{name}.clock")),
        };
        clock.set(Duration::ZERO, true);
        Some(clock)
    }

    /// Sets it so far ahead of the machine's, or behind; the process follows within a second.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub(super) fn set(&self, offset: Duration, ahead: bool) {
        let sign = if ahead { '+' } else { '-' };
        let mut new = self.file.clone();
        new.set_extension("new");
        std::fs::write(&new, format!("{sign}{}", offset.as_secs_f64())).expect("a file");
        std::fs::rename(new, &self.file).expect("the same folder");
    }

    /// What makes a process keep this time.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let path = |path: &Path| path.display().to_string();
        [
            ("LD_PRELOAD", path(&self.library)),
            ("FAKETIME_TIMESTAMP_FILE", path(&self.file)),
            ("FAKETIME_CACHE_DURATION", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("NO_FAKE_STAT", "1".into()),
        ]
        .map(|(name, value)| (name.into(), value))
        .into()
    }
}
