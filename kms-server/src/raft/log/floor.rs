//! `log.floor`: the index below which this node's log is known to have been whole.
//!
//! It stands outside the engine, like the identity file: a log that ends before it was shortened
//! by somebody, and the node must not vote with it. Raised when the node stops and with every
//! snapshot, so what was lost since then is not noticed by this; a cut tail is (see `engine`).

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Text {
    index: u64,
}

/// The file.
#[derive(Clone, Debug)]
pub(crate) struct Floor {
    path: PathBuf,
}

impl Floor {
    /// The file in a node's data directory.
    pub(crate) fn new(dir: &Path) -> Self {
        Self {
            path: dir.join("log.floor"),
        }
    }

    /// What the log must still reach; none when it was never written.
    pub(crate) fn load(&self) -> io::Result<Option<u64>> {
        match std::fs::read_to_string(&self.path) {
            Ok(text) => toml::from_str::<Text>(&text)
                .map(|text| Some(text.index))
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Records that the log reaches `index`, durably.
    pub(crate) fn raise(&self, index: u64) -> io::Result<()> {
        let text = toml::to_string(&Text { index }).map_err(io::Error::other)?;
        sys::file::write_atomic(&self.path, text.as_bytes(), 0o600)
    }
}
