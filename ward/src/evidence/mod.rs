//! The audit logs of a cluster, wherever they are: read from `cluster` (running nodes), `folders`
//! (files of stopped ones) or `export` (one file), and handed to a [`Sink`], which checks them
//! (`check`) or writes them down (`export`).

pub(crate) mod check;
mod cluster;
pub(crate) mod export;
mod folders;

use std::path::{Path, PathBuf};

pub(crate) use cluster::{bound_to, members};

use crate::cli::Global;
use crate::error::{Failure, Reason};
use crate::up::LOCK_FILE;

/// What takes the evidence, in this order: all documents, then node after node with its files.
pub(crate) trait Sink {
    /// An anchors document, as a node told it.
    fn document(&mut self, json: &[u8]) -> Result<(), Failure>;
    /// The files of this node follow.
    fn node(&mut self, node: u64) -> Result<(), Failure>;
    /// A file follows, of this many bytes.
    fn file(&mut self, name: &str, bytes: u64) -> Result<(), Failure>;
    /// The file's next bytes.
    fn data(&mut self, data: &[u8]) -> Result<(), Failure>;
    /// A node whose log could not be read.
    fn missing(&mut self, node: u64, why: Failure) -> Result<(), Failure>;
    /// That was all.
    fn end(&mut self) -> Result<(), Failure>;
}

/// Where the evidence is.
pub(crate) enum Source {
    /// At running nodes.
    Cluster,
    /// In these nodes' data directories, by node id; they are not running, or do not matter.
    Folders(Vec<(u64, PathBuf)>, Option<sys::file::Lock>),
    /// In an export.
    Export(PathBuf),
}

impl Source {
    /// The running cluster of the data directory, or its files when nothing runs there; a
    /// directory that is an identity alone always means a running cluster.
    pub(crate) fn of(global: &Global) -> Result<Self, Failure> {
        let dir = &global.data_dir;
        let Some(folders) = folders::of_data_dir(dir)? else {
            return Ok(Self::Cluster);
        };
        match sys::file::Lock::acquire(&dir.join(LOCK_FILE)) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(Self::Cluster),
            // Nothing starts while its files are read.
            Ok(lock) => Ok(Self::Folders(folders, Some(lock))),
            // A copy that cannot be written cannot be running either.
            Err(_) => Ok(Self::Folders(folders, None)),
        }
    }

    /// Data directories of nodes, named one by one.
    pub(crate) fn folders(dirs: &[PathBuf]) -> Result<Self, Failure> {
        let named = |dir: &PathBuf| Ok((folders::node_of(dir)?, dir.clone()));
        let folders: Result<Vec<_>, Failure> = dirs.iter().map(named).collect();
        Ok(Self::Folders(folders?, None))
    }

    /// Hands everything over.
    pub(crate) async fn read(&self, global: &Global, sink: &mut impl Sink) -> Result<(), Failure> {
        match self {
            Self::Cluster => cluster::read(global, sink).await?,
            Self::Folders(folders, _lock) => folders::read(folders, sink)?,
            Self::Export(path) => export::read(path, sink)?,
        }
        sink.end()
    }
}

fn io_failure(what: &str, path: &Path) -> impl Fn(std::io::Error) -> Failure {
    let what = format!("cannot {what} {}", path.display());
    move |error| Failure::io(&what, &error)
}

fn broken(sentence: impl Into<String>) -> Failure {
    Failure::new(Reason::AUDIT_BROKEN, sentence)
}
