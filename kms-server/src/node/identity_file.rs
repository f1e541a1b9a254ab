//! `identity.toml`: which node of which cluster a data directory belongs to.
//!
//! It stands outside the log engine and is fsynced, so that a node whose log was lost or cut
//! notices: `initialised` says that there was one. Written by `init` and `join`, marked by the
//! replica once its log holds something, read at every start.

use std::io;
use std::path::{Path, PathBuf};

use envelope::id::ClusterId;
use serde::{Deserialize, Serialize};

use crate::node::NodeError;
use crate::state::NodeId;

/// Whose directory it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdentityFile {
    /// The cluster.
    pub(crate) cluster_id: ClusterId,
    /// The node.
    pub(crate) node_id: NodeId,
    /// Whether its log ever held anything.
    pub(crate) initialised: bool,
    /// Whether it was removed from the cluster, and knows.
    pub(crate) removed: bool,
}

/// The text of the file.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Text {
    format: u32,
    cluster_id: String,
    node_id: u64,
    initialised: bool,
    #[serde(default)]
    removed: bool,
}

/// What the cluster gave to the node of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given {
    /// Its member id.
    pub node_id: u64,
    /// Whether the node knows that it was removed since.
    pub removed: bool,
}

/// What the node of `data_dir` was given; none while it has joined no cluster.
///
/// # Errors
/// When the node's identity is unreadable, malformed or of a newer format.
pub fn given(data_dir: &Path) -> Result<Option<Given>, NodeError> {
    let file = IdentityFile::load(data_dir)?;
    Ok(file.map(|file| Given {
        node_id: file.node_id.0,
        removed: file.removed,
    }))
}

/// The only part that every version of the file has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl IdentityFile {
    /// Reads the file of `data_dir`; none when there is no such file.
    ///
    /// # Errors
    /// When it is unreadable, malformed or of a newer format.
    pub(crate) fn load(data_dir: &Path) -> Result<Option<Self>, NodeError> {
        let path = data_dir.join(FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(file_error(path, "cannot be read", Some(error))),
        };
        Self::parse(&text, &path).map(Some)
    }

    /// Writes the file of `data_dir`, durably.
    ///
    /// # Errors
    /// When the file system refuses.
    pub(crate) fn store(&self, data_dir: &Path) -> Result<(), NodeError> {
        let path = data_dir.join(FILE);
        let text = format!(
            "# Which node this directory belongs to. Do not change, do not copy to another node.\n\
             format = {FORMAT}\ncluster_id = \"{}\"\nnode_id = {}\ninitialised = {}\n\
             removed = {}\n",
            self.cluster_id, self.node_id, self.initialised, self.removed
        );
        sys::file::write_atomic(&path, text.as_bytes(), 0o600)
            .map_err(|error| file_error(path, "cannot be written", Some(error)))
    }

    /// The same node, removed from its cluster.
    pub(crate) fn removed(&self) -> Self {
        Self {
            initialised: true,
            removed: true,
            ..self.clone()
        }
    }

    fn parse(text: &str, path: &Path) -> Result<Self, NodeError> {
        let malformed = || file_error(path.to_owned(), "is malformed; restore it", None);
        let version: Version = toml::from_str(text).map_err(|_| malformed())?;
        if version.format > FORMAT {
            let (found, known) = (version.format, FORMAT);
            return Err(NodeError::VersionNewer {
                path: path.to_owned(),
                found,
                known,
            });
        }
        let text: Text = toml::from_str(text).map_err(|_| malformed())?;
        Ok(Self {
            cluster_id: text.cluster_id.parse().map_err(|_| malformed())?,
            node_id: NodeId(text.node_id),
            initialised: text.initialised,
            removed: text.removed,
        })
    }
}

fn file_error(path: PathBuf, what: &'static str, source: Option<io::Error>) -> NodeError {
    NodeError::File { path, what, source }
}

const FILE: &str = "identity.toml";

/// The version of everything in a data directory.
const FORMAT: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> IdentityFile {
        let cluster_id = ClusterId::from_bytes([7; 16]);
        IdentityFile {
            cluster_id,
            node_id: NodeId(3),
            initialised: true,
            removed: false,
        }
    }

    #[test]
    fn reads_what_it_wrote() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(IdentityFile::load(dir.path()).unwrap(), None);
        file().store(dir.path()).unwrap();
        assert_eq!(IdentityFile::load(dir.path()).unwrap(), Some(file()));
        file().removed().store(dir.path()).unwrap();
        assert!(given(dir.path()).unwrap().unwrap().removed);
    }

    #[test]
    fn a_newer_format_is_refused_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), "format = 2\nshape = \"unknown\"\n").unwrap();
        let error = IdentityFile::load(dir.path()).unwrap_err();
        assert_eq!(error.reason().to_string(), "VERSION_NEWER");
    }

    #[test]
    fn a_malformed_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for text in [
            "",
            "format = 1",
            "format = 1\ncluster_id = \"x\"\nnode_id = 1",
        ] {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            assert!(IdentityFile::load(dir.path()).is_err(), "{text}");
        }
    }
}
