//! GetClusterStatus: nodes and gateways as the serving node sees them; sealed nodes serve it too.
//!
//! Each node is asked about itself, and the leader's answer holds what it sees of the others. So
//! any node can tell how the cluster does, as long as it reaches the leader.

use bytes::Bytes;
use futures::future::join_all;
use ward_proto::peer::v1::{GetNodeStatusResponse, LeaderView};
use ward_proto::v1::{Ailment, GatewayStatus, GetClusterStatusResponse, NodeRole, NodeStatus};

use super::{health, node_status};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::limits::PEER_STATUS_TIMEOUT;
use crate::node::context::Node;
use crate::policy::{Action, Facts, Resource};
use crate::replica::MemberStatus;

/// Serves GetClusterStatus. It tells nothing secret and must be told when nothing else can be,
/// so it leaves no audit record.
pub(crate) async fn status(call: &Call) -> Result<GetClusterStatusResponse, Failure> {
    // A sealed node cannot open added policies; the built-in ones let everyone see the cluster.
    if !call.node.vault.is_sealed() {
        call.authorize(Action::GetClusterStatus, Resource::Cluster, Facts::None)
            .map(drop)?;
    }
    Ok(gather(&call.node).await)
}

/// Asks every member; takes no longer than one that does not answer is waited for.
pub(crate) async fn gather(node: &Node) -> GetClusterStatusResponse {
    let known = node.replica.status();
    let told = join_all(known.members.iter().map(|member| ask(node, member))).await;
    let leader = known.leader.map_or(0, |leader| leader.0);
    let mut view = None;
    let mut nodes = Vec::new();
    for (status, leader_view) in told {
        if status.node_id == leader {
            view = leader_view;
        }
        nodes.push(status);
    }
    let health = health::judge(&mut nodes, leader, view.as_ref());
    GetClusterStatusResponse {
        cluster_id: Bytes::copy_from_slice(node.cluster_id.as_bytes()),
        leader,
        nodes,
        gateways: gateways(node),
        applied: convert::applied(node.replica.applied_index()),
        served_by: node.id.0,
        health: Some(health),
        format_version: node.replica.format_version(),
    }
}

/// A member's own word, or what is known of one that does not answer in time; and, of one that
/// leads, what it sees of the others.
async fn ask(node: &Node, known: &MemberStatus) -> (NodeStatus, Option<LeaderView>) {
    let (mut status, view) = if known.node_id == node.id {
        (node_status::own(node), node.replica.leader_view())
    } else {
        let question = node.peers.status(known.node_id, &known.member);
        let answer = tokio::time::timeout(PEER_STATUS_TIMEOUT, question).await;
        match answer {
            Ok(Ok(GetNodeStatusResponse {
                status: Some(status),
                leader_view,
                ..
            })) => (status, leader_view),
            Ok(Ok(_) | Err(_)) | Err(_) => (unreachable(known), None),
        }
    };
    status.voter = known.voter;
    (status, view)
}

fn unreachable(known: &MemberStatus) -> NodeStatus {
    NodeStatus {
        node_id: known.node_id.0,
        api_address: known.member.addresses.api.clone(),
        role: NodeRole::Unreachable.into(),
        join_address: known.member.addresses.join.clone(),
        ailments: vec![Ailment::Unreachable.into()],
        ..NodeStatus::default()
    }
}

fn gateways(node: &Node) -> Vec<GatewayStatus> {
    node.replica.read(|index| {
        let status = index.gateways().map(|gateway| GatewayStatus {
            gateway_id: gateway.gateway_id.clone(),
            role: gateway.role.as_str().to_owned(),
            address: gateway.address.clone(),
            pid: gateway.pid,
            announced_ms: gateway.announced_ms,
        });
        status.collect()
    })
}
