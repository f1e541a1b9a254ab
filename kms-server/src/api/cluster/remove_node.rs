//! RemoveNode: takes a member out for good.
//!
//! Only the leader does it, and never to itself: one that is to be removed hands over first and
//! names its successor. Raft could let a leader go that commits its own removal, but then nobody
//! could be told how that ended.

use std::sync::Arc;

use kms_client::reason::Reason;
use ward_proto::admin::v1::{RemoveNodeRequest, RemoveNodeResponse};

use crate::api::call::{Call, settle};
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::write::{Intent, OnConflict, propose};
use crate::audit::AuditRecord;
use crate::command::{Command, Proposal, RemoveNode};
use crate::node::context::Node;
use crate::node::succession;
use crate::policy::{Action, Facts, Resource};
use crate::raft::peer::Fitness;
use crate::state::NodeId;

/// Serves RemoveNode.
pub(crate) async fn remove(
    call: &Call,
    request: RemoveNodeRequest,
) -> Result<RemoveNodeResponse, Failure> {
    let action = Action::RemoveNode;
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let node_id = NodeId(request.node_id);
    let mut record = call.record(action.name(), &resource(node_id));
    let made = attempt(call, node_id, &intent, &mut record).await;
    let (index, _durable) = call.settle(record, made).await?;
    // Decided and recorded; what is left is Raft's.
    call.node.replica.wait_removed(node_id).await?;
    let members = call.node.replica.status().members;
    let voters = members.iter().filter(|member| member.voter);
    Ok(RemoveNodeResponse {
        voters: voters.map(|member| member.node_id.0).collect(),
        applied: convert::applied(index),
    })
}

async fn attempt(
    call: &Call,
    node_id: NodeId,
    intent: &Intent,
    record: &mut AuditRecord,
) -> Result<u64, Failure> {
    let (action, replica) = (Action::RemoveNode, &call.node.replica);
    let _turn = replica.begin_removal().await;
    let leaving = replica.is_leaving(node_id);
    if leaving || node_id == call.node.id {
        let barrier = call.barrier().await?;
        match call.permit(record, action, Resource::Cluster, Facts::None) {
            // Nothing is removed here: the successor asks for the approval, or it was had before.
            Err(failure) if failure.reason == Reason::ApprovalRequired => {}
            permitted => drop(permitted?),
        }
        replica.check_removal(node_id)?;
        if node_id == call.node.id {
            return Err(step_aside(&call.node).await);
        }
        // It was decided before; the caller waits for the end of it.
        return Ok(barrier.index());
    }
    replica.wait_removable(node_id).await;
    let made = propose(call, intent, OnConflict::Retry, record, |_barrier| {
        let authorized = call.authorize(action, Resource::Cluster, Facts::None)?;
        replica.check_removal(node_id)?;
        Ok((authorized, Command::RemoveNode(RemoveNode { node_id })))
    });
    Ok(made.await?.index)
}

/// Hands over and names the successor; the caller's client goes there.
async fn step_aside(node: &Node) -> Failure {
    let Some(heir) = succession::heir_above(node, Fitness::Unfit).await else {
        let message = "the leader is to be removed, and no other voter can lead now; see that one \
                       is up, unsealed and able to write its audit log";
        return Failure::new(Reason::QuorumAtRisk, message);
    };
    let leader = node.replica.hand_over_to(heir).await;
    let member = leader.and_then(|leader| node.replica.member(leader));
    Failure::not_leader(member.map(|member| member.addresses.api))
}

/// Removes the former self of a node that joined again, without anybody asking: whoever made the
/// join token was permitted to. Leaves an audit record of this node's.
pub(crate) async fn remove_replaced(
    node: &Arc<Node>,
    former: NodeId,
    by: NodeId,
) -> Result<(), Failure> {
    let own = node.identity.load().id().to_string();
    let now_ms = sys::clock::wall_ms();
    let action = Action::RemoveNode.name();
    let mut record = AuditRecord::new(now_ms, &own, action, &resource(former));
    record.applied_index = node.replica.applied_index();
    let turn = node.replica.begin_removal().await;
    let made = async {
        node.replica.read_barrier().await?;
        node.replica.check_removal(former)?;
        let command = Command::RemoveNode(RemoveNode { node_id: former });
        Ok(node
            .replica
            .propose(Proposal::internal(now_ms, command))
            .await?)
    };
    let made = made.await;
    drop(turn);
    settle(node, record, made).await?;
    tracing::info!(%former, %by, "a dead member is removed: another node joined in its place");
    Ok(())
}

/// How audit records name a node.
pub(super) fn resource(node: NodeId) -> String {
    format!("node/{node}")
}
