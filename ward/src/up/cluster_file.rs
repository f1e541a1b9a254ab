//! `DIR/cluster.toml`: what is fixed about the cluster, and the ports that stay unless taken.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::layout::ProcessName;
use super::ports::choose;
use crate::error::{Failure, Reason};

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClusterFile {
    /// Format of this file and of the directory around it.
    format_version: u32,
    /// The trust domain of every SPIFFE id.
    pub(crate) trust_domain: String,
    /// Whether the cluster's genesis and its operator are stored: from then on, nothing in the
    /// directory is ever made anew.
    pub(crate) founded: bool,
    /// The edge gateway's ports.
    pub(crate) edge: EdgePorts,
    /// The core gateway's ports.
    pub(crate) core: CorePorts,
    /// The nodes, node-1 first. Their order and number never change.
    #[serde(rename = "node")]
    pub(crate) nodes: Vec<NodePorts>,
}

/// The ports of a node, on the loopback address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodePorts {
    /// What the cluster knows it by: N of `node-N` at first, another once it lost its disk and
    /// joined again, since ids are never given twice.
    pub(crate) id: u64,
    pub(crate) api: u16,
    pub(crate) peer: u16,
    pub(crate) join: u16,
    pub(crate) ops: u16,
}

/// The ports of the edge that are not a device's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EdgePorts {
    pub(crate) ops: u16,
}

/// The ports of the core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CorePorts {
    pub(crate) tunnel: u16,
    pub(crate) ops: u16,
}

impl ClusterFile {
    /// Plans a new cluster of `nodes` on ports that are free now.
    pub(crate) fn plan(nodes: u64) -> Result<Self, Failure> {
        let mut ports = choose(PORTS_BESIDE_NODES + PORTS_OF_A_NODE * nodes)?.into_iter();
        let mut next = || {
            ports
                .next()
                .expect("as many ports were chosen as are taken")
        };
        Ok(Self {
            format_version: FORMAT_VERSION,
            trust_domain: TRUST_DOMAIN.to_owned(),
            founded: false,
            edge: EdgePorts { ops: next() },
            core: CorePorts {
                tunnel: next(),
                ops: next(),
            },
            nodes: (1..=nodes)
                .map(|id| NodePorts {
                    id,
                    api: next(),
                    peer: next(),
                    join: next(),
                    ops: next(),
                })
                .collect(),
        })
    }

    /// The names of the nodes, in order.
    pub(crate) fn node_names(&self) -> impl Iterator<Item = ProcessName> + use<> {
        (1..=self.nodes.len() as u64).map(ProcessName::Node)
    }

    /// The node that is called `node-{number}`.
    pub(crate) fn node(&self, number: u64) -> Option<&NodePorts> {
        self.nodes.get(index(number)?)
    }

    /// The same, to be changed.
    pub(crate) fn node_mut(&mut self, number: u64) -> Option<&mut NodePorts> {
        self.nodes.get_mut(index(number)?)
    }

    /// N of the `node-N` that the cluster knows by `id`; none for one that is no member any more.
    pub(crate) fn number_of(&self, id: u64) -> Option<u64> {
        let at = self.nodes.iter().position(|node| node.id == id)?;
        Some(at as u64 + 1)
    }

    /// The ports of one process, to be looked at or replaced.
    pub(crate) fn ports_of(&mut self, name: ProcessName) -> Vec<&mut u16> {
        match name {
            ProcessName::Edge => vec![&mut self.edge.ops],
            ProcessName::Core => vec![&mut self.core.tunnel, &mut self.core.ops],
            ProcessName::Node(number) => {
                let node = self.node_mut(number).into_iter();
                node.flat_map(|node| [&mut node.api, &mut node.peer, &mut node.join, &mut node.ops])
                    .collect()
            }
        }
    }

    /// Reads the file; `None` when there is none yet.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, Failure> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Failure::io(
                    format!("cannot read {}", path.display()),
                    &error,
                ));
            }
        };
        // The version first: a newer file may well hold what this program does not know.
        let version = toml::from_str::<Version>(&text).map_err(|e| damaged(path, &e))?;
        if version.format_version > FORMAT_VERSION {
            return Err(newer(path, version.format_version));
        }
        let file: Self = toml::from_str(&text).map_err(|error| damaged(path, &error))?;
        Ok(Some(file))
    }

    /// Writes the file, durably.
    pub(crate) fn store(&self, path: &Path) -> Result<(), Failure> {
        let text = toml::to_string(self).map_err(|error| {
            let sentence = format!("cannot write {}: {error}", path.display());
            Failure::new(Reason::INTERNAL, sentence)
        })?;
        sys::file::write_atomic(path, format!("{HEAD}{text}").as_bytes(), 0o600)
            .map_err(|error| Failure::io("the cluster's file", &error))
    }
}

/// Where in the list `node-{number}` stands.
fn index(number: u64) -> Option<usize> {
    usize::try_from(number.checked_sub(1)?).ok()
}

/// Only what tells whether the rest can be understood.
#[derive(Deserialize)]
struct Version {
    format_version: u32,
}

fn newer(path: &Path, found: u32) -> Failure {
    let sentence = format!(
        "{} has format {found}, this program knows up to {FORMAT_VERSION}: \
         run the newer version of ward that wrote it",
        path.display()
    );
    Failure::new(Reason::VERSION_NEWER, sentence)
}

fn damaged(path: &Path, error: &toml::de::Error) -> Failure {
    let sentence = format!(
        "{} is not what `ward up` wrote ({}): put back a copy, or give another --data-dir",
        path.display(),
        error.message()
    );
    Failure::new(Reason::NO_CLUSTER, sentence)
}

const FORMAT_VERSION: u32 = 1;
const TRUST_DOMAIN: &str = "ward.local";
const PORTS_BESIDE_NODES: u64 = 3;
const PORTS_OF_A_NODE: u64 = 4;
const HEAD: &str = "# Written by `ward up`. The ports may change; the number and the order of the nodes \
                    may not.\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cluster.toml");
        assert_eq!(ClusterFile::load(&path).unwrap(), None);
        let planned = ClusterFile::plan(3).unwrap();
        planned.store(&path).unwrap();
        assert_eq!(ClusterFile::load(&path).unwrap(), Some(planned));
    }

    #[test]
    fn a_node_keeps_its_name_under_another_id() {
        let mut file = ClusterFile::plan(3).unwrap();
        file.node_mut(2).unwrap().id = 4;
        assert_eq!(file.number_of(4), Some(2));
        assert_eq!(file.number_of(2), None, "no member any more");
        assert_eq!((file.number_of(1), file.number_of(3)), (Some(1), Some(3)));
        assert_eq!(file.ports_of(ProcessName::Node(2)).len(), 4);
        assert!(file.node(0).is_none() && file.node(4).is_none());
    }

    #[test]
    fn a_newer_directory_is_refused_even_when_it_is_not_understood() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cluster.toml");
        std::fs::write(&path, "format_version = 2\nunknown = true\n").unwrap();
        let failure = ClusterFile::load(&path).unwrap_err();
        assert_eq!(failure.reason(), &Reason::VERSION_NEWER);
        assert!(failure.to_string().contains("newer version"), "{failure}");
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cluster.toml");
        for text in ["", "format_version = 1\n", "format_version = \"one\"", "\0"] {
            std::fs::write(&path, text).unwrap();
            let failure = ClusterFile::load(&path).unwrap_err();
            assert_eq!(failure.reason(), &Reason::NO_CLUSTER, "{text:?}");
        }
    }
}
