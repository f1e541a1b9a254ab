//! Takes a node out of the cluster for good. The leader then takes it out of the Raft membership.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{Outcome, Refusal};
use crate::state::{IdentityRecord, IdentityState, NodeId, Record, RecordId, Role};

/// A node that is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveNode {
    /// Which node.
    pub node_id: NodeId,
}

impl RemoveNode {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        if frame.index.node(self.node_id).is_none() {
            return Err(Refusal::NodeNotFound);
        }
        if frame.index.nodes().nth(1).is_none() {
            return Err(Refusal::LastNode);
        }
        frame.writes.remove(RecordId::Node(self.node_id));
        // The revoked identity stays for ever: it is how others know that this node was one. Its
        // id is never given again, for ids are counted upwards.
        let id = self.node_id.to_string();
        let identity = IdentityRecord {
            role: Role::Node,
            id: id.clone(),
            state: IdentityState::Revoked,
            keys: Vec::new(),
        };
        let record = Record::Identity(identity);
        frame.writes.put(RecordId::Identity(Role::Node, id), record);
        frame.counters.identity_epoch += 1;
        Ok(Outcome::NodeRemoved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{begin, genesis};
    use crate::command::{Command, Proposal, apply};
    use crate::state::{Index, NodeRecord};

    fn write(index: &mut Index, log_index: u64, command: Command) -> Result<Outcome, Refusal> {
        let effect = apply(index, log_index, &Proposal::internal(1, command));
        for (id, record) in effect.writes.into_vec() {
            index.put(id, record);
        }
        effect.answer
    }

    fn remove(index: &mut Index, node: u64) -> Result<Outcome, Refusal> {
        let node_id = NodeId(node);
        write(index, 2, Command::RemoveNode(RemoveNode { node_id }))
    }

    #[test]
    fn a_removed_node_is_forgotten_and_its_identity_revoked_and_its_id_never_given_again() {
        let mut index = Index::default();
        write(&mut index, 1, begin()).unwrap();
        assert_eq!(remove(&mut index, 1), Err(Refusal::LastNode));
        let second = NodeRecord {
            node_id: NodeId(2),
            ..genesis().node
        };
        index.put(
            RecordId::Node(NodeId(2)),
            Some(Record::Node(Box::new(second))),
        );
        let next = index.counters().next_node_id;

        assert_eq!(remove(&mut index, 3), Err(Refusal::NodeNotFound));
        assert_eq!(remove(&mut index, 2), Ok(Outcome::NodeRemoved));
        assert!(index.node(NodeId(2)).is_none());
        let identity = index.identity(Role::Node, "2").unwrap();
        assert_eq!(identity.state, IdentityState::Revoked);
        assert_eq!(index.counters().next_node_id, next);
        assert_eq!(index.counters().identity_epoch, 1);
        assert_eq!(remove(&mut index, 2), Err(Refusal::NodeNotFound));
        assert_eq!(remove(&mut index, 1), Err(Refusal::LastNode));
    }
}
