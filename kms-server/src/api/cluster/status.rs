//! GetClusterStatus: nodes and gateways as the serving node sees them; sealed nodes serve it too.

use bytes::Bytes;
use futures::future::join_all;
use ward_proto::v1::{GatewayStatus, GetClusterStatusResponse, NodeRole, NodeStatus};

use super::node_status;
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
    let node = &*call.node;
    let known = node.replica.status();
    let nodes = join_all(known.members.iter().map(|member| ask(node, member))).await;
    let applied = convert::applied(node.replica.applied_index());
    Ok(GetClusterStatusResponse {
        cluster_id: Bytes::copy_from_slice(node.cluster_id.as_bytes()),
        leader: known.leader.map_or(0, |leader| leader.0),
        nodes,
        gateways: gateways(node),
        applied,
        served_by: node.id.0,
    })
}

/// A member's own word, or what is known of one that does not answer in time.
async fn ask(node: &Node, known: &MemberStatus) -> NodeStatus {
    if known.node_id == node.id {
        return node_status::own(node);
    }
    let question = node.peers.status(known.node_id, &known.member);
    match tokio::time::timeout(PEER_STATUS_TIMEOUT, question).await {
        Ok(Ok(status)) => status,
        Ok(Err(_)) | Err(_) => NodeStatus {
            node_id: known.node_id.0,
            api_address: known.member.addresses.api.clone(),
            role: NodeRole::Unreachable.into(),
            sealed: false,
            applied_index: 0,
            pid: 0,
            join_address: known.member.addresses.join.clone(),
        },
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
