//! Where everything of one machine's stack is. `DIR` below is the data directory of `ward up`.
//!
//! ```text
//! DIR/ward.lock   DIR/cluster.toml   DIR/seal/root
//! DIR/node-N/     DIR/edge/          DIR/core/        DIR/operator/
//! DIR/run/*.pid   DIR/log/*.log
//! ```

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::Failure;

/// Below the data directory; held for as long as `ward up` runs there.
pub(crate) const LOCK_FILE: &str = "ward.lock";

/// A process of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum ProcessName {
    /// The KMS node of this id.
    Node(u64),
    /// The gateway beside the devices.
    Edge,
    /// The gateway beside the servers.
    Core,
}

impl fmt::Display for ProcessName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(id) => write!(out, "node-{id}"),
            Self::Edge => out.write_str("edge"),
            Self::Core => out.write_str("core"),
        }
    }
}

/// The paths below one data directory.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Makes the directory where it is missing, owner-only, with the folders that have no other
    /// maker.
    pub(crate) fn create(dir: &Path) -> Result<Self, Failure> {
        make_private(dir)?;
        // Children get absolute paths: they must not depend on the directory `up` was typed in.
        let root = dir
            .canonicalize()
            .map_err(|error| Failure::io(format!("cannot use {}", dir.display()), &error))?;
        let layout = Self { root };
        for folder in ["run", "log"] {
            make_private(&layout.root.join(folder))?;
        }
        Ok(layout)
    }

    /// The data directory, absolute.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Held for as long as `ward up` runs.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join(LOCK_FILE)
    }

    /// What is fixed about the cluster, and the ports.
    pub(crate) fn cluster_file(&self) -> PathBuf {
        self.root.join("cluster.toml")
    }

    /// The folder of the seal secret.
    pub(crate) fn seal_dir(&self) -> PathBuf {
        self.root.join("seal")
    }

    /// The seal secret.
    pub(crate) fn seal(&self) -> PathBuf {
        self.seal_dir().join("root")
    }

    /// The operator's identity.
    pub(crate) fn operator(&self) -> PathBuf {
        self.root.join("operator")
    }

    /// Everything a process keeps.
    pub(crate) fn home(&self, process: ProcessName) -> PathBuf {
        self.root.join(process.to_string())
    }

    /// A process's settings.
    pub(crate) fn config(&self, process: ProcessName) -> PathBuf {
        let name = match process {
            ProcessName::Node(_) => "node.toml",
            ProcessName::Edge | ProcessName::Core => "gateway.toml",
        };
        self.home(process).join(name)
    }

    /// A gateway's identity.
    pub(crate) fn identity(&self, gateway: ProcessName) -> PathBuf {
        self.home(gateway).join("identity")
    }

    /// The core's archive.
    pub(crate) fn archive(&self) -> PathBuf {
        self.root.join("core").join("archive")
    }

    /// A token that is being used up: kept until the identity it buys is stored.
    pub(crate) fn join_token(&self, process: ProcessName) -> PathBuf {
        self.home(process).join("join-token")
    }

    /// The process id of a running process.
    pub(crate) fn pid(&self, process: ProcessName) -> PathBuf {
        self.root.join("run").join(format!("{process}.pid"))
    }

    /// What a process says.
    pub(crate) fn log(&self, process: ProcessName) -> PathBuf {
        self.root.join("log").join(format!("{process}.log"))
    }
}

/// Makes `dir` and what is missing above it, readable to the owner only.
pub(crate) fn make_private(dir: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;

    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| Failure::io(format!("cannot make {}", dir.display()), &error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_layout_is_the_documented_one() {
        let temporary = tempfile::tempdir().unwrap();
        let layout = Layout::create(&temporary.path().join("a/b")).unwrap();
        let root = temporary.path().canonicalize().unwrap().join("a/b");
        for (path, expected) in [
            (layout.lock(), "ward.lock"),
            (layout.cluster_file(), "cluster.toml"),
            (layout.seal(), "seal/root"),
            (layout.config(ProcessName::Node(3)), "node-3/node.toml"),
            (layout.config(ProcessName::Edge), "edge/gateway.toml"),
            (layout.identity(ProcessName::Core), "core/identity"),
            (layout.archive(), "core/archive"),
            (layout.pid(ProcessName::Node(1)), "run/node-1.pid"),
            (layout.log(ProcessName::Edge), "log/edge.log"),
        ] {
            assert_eq!(path, root.join(expected));
        }
        for folder in [&root, &root.join("run"), &root.join("log")] {
            let mode = std::fs::metadata(folder).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", folder.display());
        }
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("file");
        std::fs::write(&file, b"").unwrap();
        let failure = Layout::create(&file).unwrap_err();
        assert!(failure.to_string().contains("file"), "{failure}");
    }
}
