//! What this node tells of itself, to clients and to peers.

use ward_proto::v1::{NodeRole, NodeStatus};

use crate::node::context::Node;
use crate::replica::ReplicaRole;

/// This node, as it sees itself.
pub(crate) fn own(node: &Node) -> NodeStatus {
    let status = node.replica.status();
    NodeStatus {
        node_id: node.id.0,
        api_address: node.addresses.api.clone(),
        role: role(status.role).into(),
        sealed: node.vault.is_sealed(),
        applied_index: status.applied_index,
        pid: std::process::id(),
        join_address: node.addresses.join.clone(),
    }
}

fn role(role: ReplicaRole) -> NodeRole {
    match role {
        ReplicaRole::Leader => NodeRole::Leader,
        ReplicaRole::Follower => NodeRole::Follower,
        ReplicaRole::Learner => NodeRole::Learner,
        ReplicaRole::Candidate => NodeRole::Candidate,
        // It answers still, and takes part no longer.
        ReplicaRole::Stopped => NodeRole::Unreachable,
    }
}
