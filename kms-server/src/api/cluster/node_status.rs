//! What this node tells of itself, to clients and to peers.

use ward_proto::v1::{Ailment, NodeRole, NodeStatus};

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
        format_known: node.replica.format_known(),
        ailments: ailments(node).into_iter().map(i32::from).collect(),
        // What the membership and the leader know is for whoever asked.
        ..NodeStatus::default()
    }
}

/// What this node knows to be wrong with itself.
fn ailments(node: &Node) -> Vec<Ailment> {
    let has = [
        (node.vault.is_sealed(), Ailment::Sealed),
        (!node.audit.is_available(), Ailment::AuditUnavailable),
        (!node.replica.has_room(), Ailment::StorageFull),
        (node.is_behind_the_times(), Ailment::ClockBehind),
        (!node.replica.may_vote(), Ailment::LogTorn),
        (node.replica.is_retired(), Ailment::Stopping),
    ];
    let has = has.into_iter().filter(|(has, _)| *has);
    has.map(|(_, ailment)| ailment).collect()
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
