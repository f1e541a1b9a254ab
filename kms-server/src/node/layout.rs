//! Where everything in a node's data directory stands.

use std::path::{Path, PathBuf};

use crate::node::NodeError;
use crate::node::error::file_error;

/// A node's data directory. `log/`, `state/` and `snapshots/` are the replica's business.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The directory at `root`, which need not exist.
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Makes the directory, for its owner alone.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn create(&self) -> Result<(), NodeError> {
        sys::file::create_dirs(&self.root, 0o700)
            .map_err(|error| file_error(self.root.clone(), "cannot be made", error))
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The node's key and certificates.
    pub(crate) fn tls(&self) -> PathBuf {
        self.root.join("tls")
    }

    /// The audit log.
    pub(crate) fn audit(&self) -> PathBuf {
        self.root.join("audit")
    }

    /// Signs the audit log's checkpoints; not in its directory, which others may be let read.
    pub(crate) fn audit_key(&self) -> PathBuf {
        self.root.join("audit-key.der")
    }

    /// What this node knows of all audit logs, for whoever checks them while it is stopped.
    pub(crate) fn anchors(&self) -> PathBuf {
        self.root.join("anchors.json")
    }

    /// What the first node proposes first; removed once it is applied.
    pub(crate) fn genesis(&self) -> PathBuf {
        self.root.join("genesis.bin")
    }

    /// The first operator's certificate, so that a repeated `init` can answer it again.
    pub(crate) fn first_operator(&self) -> PathBuf {
        self.root.join("operator.der")
    }

    /// Held while a node runs in the directory.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("node.lock")
    }
}
