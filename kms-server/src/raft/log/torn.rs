//! `log.torn`: stands while this node's log may have lost its end.
//!
//! raft-engine cuts a torn end off while it opens, and the next start finds a whole file. So the
//! mark is made, durably, before the engine opens a log that holds anything; it goes again at once
//! when nothing was cut off, else when the node has caught up (see `replica::vigil`). An empty
//! file: its name is all there is, and a full disk mostly has room for that.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct Torn {
    path: PathBuf,
}

impl Torn {
    /// The file in a node's data directory.
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            path: dir.join("log.torn"),
        }
    }

    /// Whether it stands.
    pub(crate) fn is_set(&self) -> io::Result<bool> {
        self.path.try_exists()
    }

    /// Makes it, durably.
    pub(crate) fn set(&self) -> io::Result<()> {
        File::create(&self.path)?.sync_all()?;
        self.sync_name()
    }

    /// Removes it, durably.
    pub(crate) fn clear(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| self.sync_name()),
        }
    }

    fn sync_name(&self) -> io::Result<()> {
        self.path.parent().map_or(Ok(()), sys::file::sync_dir)
    }
}
