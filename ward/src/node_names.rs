//! Node names and node ids: people and scripts say N of `node-N`, the cluster knows ids.
//!
//! They are the same until a node of `ward up` lost its disk and joined again under a new id; the
//! data directory records that. A folder that is an identity alone knows ids only.

use std::path::Path;

use crate::error::{Failure, Reason};
use crate::up::ClusterFile;

/// Which node is called what.
pub(crate) struct NodeNames(Option<ClusterFile>);

impl NodeNames {
    /// Reads them from a data directory of `ward up`, or from nothing.
    pub(crate) fn load(dir: &Path) -> Result<Self, Failure> {
        ClusterFile::load(&dir.join("cluster.toml")).map(Self)
    }

    /// The id of `node-{number}`.
    pub(crate) fn id_of(&self, number: u64) -> Result<u64, Failure> {
        let Some(file) = &self.0 else {
            return Ok(number);
        };
        let node = file.node(number).ok_or_else(|| {
            let sentence = format!(
                "there is no node-{number}: name one of node-1 to node-{}",
                file.nodes.len()
            );
            Failure::new(Reason::INVALID_ARGUMENT, sentence)
        })?;
        Ok(node.id)
    }

    /// N of the `node-N` with this id; none for a former self that is still counted as a member.
    pub(crate) fn number_of(&self, id: u64) -> Option<u64> {
        match &self.0 {
            Some(file) => file.number_of(id),
            None => Some(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_joined_again_keeps_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = ClusterFile::plan(3).unwrap();
        file.node_mut(2).unwrap().id = 4;
        file.store(&dir.path().join("cluster.toml")).unwrap();
        let names = NodeNames::load(dir.path()).unwrap();
        assert_eq!(names.id_of(2).unwrap(), 4);
        assert_eq!((names.number_of(4), names.number_of(2)), (Some(2), None));
        let unknown = names.id_of(4).unwrap_err();
        assert_eq!(unknown.reason(), &Reason::INVALID_ARGUMENT);
    }

    #[test]
    fn an_identity_alone_knows_ids() {
        let dir = tempfile::tempdir().unwrap();
        let names = NodeNames::load(dir.path()).unwrap();
        assert_eq!((names.id_of(4).unwrap(), names.number_of(2)), (4, Some(2)));
    }
}
