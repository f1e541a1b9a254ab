//! TransferLeadership: lets another voter lead.
//!
//! Everything that could keep the other one from leading is looked at before Raft is told, because
//! from then on this leader takes no writes. The record is in this node's audit log, whoever leads
//! when it is written.

use kms_client::reason::Reason;
use ward_proto::admin::v1::{TransferLeadershipRequest, TransferLeadershipResponse};

use super::remove_node::resource;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::audit::AuditRecord;
use crate::node::context::Node;
use crate::node::succession;
use crate::policy::{Action, Facts, Resource};
use crate::raft::peer::Fitness;
use crate::replica::TransferError;
use crate::state::NodeId;

/// Serves TransferLeadership.
pub(crate) async fn transfer(
    call: &Call,
    request: TransferLeadershipRequest,
) -> Result<TransferLeadershipResponse, Failure> {
    let whom = match request.node_id {
        0 => "cluster".to_owned(),
        node => resource(NodeId(node)),
    };
    let mut record = call.record(Action::TransferLeadership.name(), &whom);
    let made = attempt(call, &request, &mut record).await;
    let ((leader, index), _durable) = call.settle(record, made).await?;
    Ok(TransferLeadershipResponse {
        leader: leader.0,
        applied: convert::applied(index),
    })
}

/// Who leads at the end, and an index that this one has confirmed.
async fn attempt(
    call: &Call,
    request: &TransferLeadershipRequest,
    record: &mut AuditRecord,
) -> Result<(NodeId, u64), Failure> {
    let node = &*call.node;
    let barrier = call.barrier().await?;
    let action = Action::TransferLeadership;
    let _authorized = call.permit(record, action, Resource::Cluster, Facts::None)?;
    let heir = match request.node_id {
        // The first attempt's answer was lost, or somebody else was faster.
        0 if ![0, node.id.0].contains(&request.from_node_id) => node.id,
        0 => fittest(node).await?,
        named => checked(node, NodeId(named)).await?,
    };
    if heir == node.id {
        return Ok((heir, barrier.index()));
    }
    let leader = node.replica.hand_over_to(heir).await;
    if leader != Some(heir) {
        return Err(TransferError::NotTaken { node: heir, leader }.into());
    }
    // A round of its own: it does not only stand in the votes, it leads.
    let confirmed = call.barrier().await?.index();
    tracing::info!(%heir, "another node leads, as was asked for");
    Ok((heir, confirmed))
}

/// The fittest voter that has caught up and is no less fit than this leader, which would be led to
/// hand over again otherwise.
async fn fittest(node: &Node) -> Result<NodeId, Failure> {
    let heirs = node.replica.heirs();
    // A new leader waits for the answers of all of them at once.
    let checks = heirs.iter().map(|heir| node.replica.wait_heir(*heir));
    let checked = futures::future::join_all(checks).await;
    let able = heirs.into_iter().zip(checked);
    let able = able.filter_map(|(heir, checked)| checked.is_ok().then_some(heir));
    let heir = succession::fittest(node, able.collect(), Fitness::Unable).await;
    match heir {
        Some(heir) if succession::fitness_of(node, heir).await >= node.fitness() => Ok(heir),
        Some(_) | None => {
            let message = "no other voter can lead as well now; `ward cluster status` shows what \
                           is wrong with each";
            Err(Failure::new(Reason::CannotLead, message))
        }
    }
}

/// The node that was named, once it could lead.
async fn checked(node: &Node, heir: NodeId) -> Result<NodeId, Failure> {
    if heir == node.id {
        return Ok(heir);
    }
    node.replica.wait_heir(heir).await?;
    let fitness = succession::fitness_of(node, heir).await;
    if fitness > Fitness::Unable && fitness >= node.fitness() {
        return Ok(heir);
    }
    let what = match fitness {
        Fitness::Unable => "is sealed, about to stop, or does not answer; unseal or start it",
        Fitness::Unfit => "cannot write its audit log or has no room on its disk; look there",
        Fitness::ClockBehind => "has a clock far behind the others'; set it right",
        Fitness::Fit => "is not fitter than the leader",
    };
    let message = format!("node_id {heir} {what}, or name another");
    Err(Failure::new(Reason::CannotLead, message))
}
