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
    // Another request, or an election, may have been faster: a barrier passes on a follower too.
    if !node.leads() {
        return Err(elsewhere(node));
    }
    let heir = match choose(node, request).await {
        // Who leads no longer cannot tell of any other whether it could.
        Err(_) if !node.leads() => return Err(elsewhere(node)),
        chosen => chosen?,
    };
    if heir == node.id {
        return Ok((heir, barrier.index()));
    }
    let leader = node.replica.hand_over_to(heir).await;
    if leader != Some(heir) {
        let leader = leader.and_then(|it| Some((it, node.replica.member(it)?)));
        return Err(TransferError::NotTaken { node: heir, leader }.into());
    }
    // A round of its own: it does not only stand in the votes, it leads.
    let confirmed = call.barrier().await?.index();
    tracing::info!(%heir, "another node leads, as was asked for");
    Ok((heir, confirmed))
}

/// Sends the caller to whoever leads now.
fn elsewhere(node: &Node) -> Failure {
    let leader = node.replica.leader().filter(|(it, _)| *it != node.id);
    Failure::not_leader(leader.map(|(_, member)| member.addresses.api))
}

/// Who is to lead; this leader itself where nothing is to be done.
async fn choose(node: &Node, request: &TransferLeadershipRequest) -> Result<NodeId, Failure> {
    match request.node_id {
        // The first attempt's answer was lost, or somebody else was faster.
        0 if ![0, node.id.0].contains(&request.from_node_id) => Ok(node.id),
        0 => fittest(node).await,
        named => checked(node, NodeId(named)).await,
    }
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
    match heir.filter(|(fitness, _)| shortcoming(*fitness, node.fitness()).is_none()) {
        Some((_, heir)) => Ok(heir),
        None => {
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
    match shortcoming(fitness, node.fitness()) {
        None => Ok(heir),
        Some(what) => {
            let message = format!("node_id {heir} {what}, or name another");
            Err(Failure::new(Reason::CannotLead, message))
        }
    }
}

/// Why a node this fit does not take over from a leader that is so fit; none where it can.
fn shortcoming(fitness: Fitness, leaders: Fitness) -> Option<&'static str> {
    if fitness == Fitness::Unable {
        return Some("is sealed, about to stop, or does not answer; unseal or start it");
    }
    if fitness >= leaders {
        return None;
    }
    Some(if fitness == Fitness::Unfit {
        "is less fit than the leader: it cannot write its audit log or has no room on its disk; \
         look there"
    } else {
        "is less fit than the leader: its clock is far behind the others'; set it right"
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Fitness::{ClockBehind, Fit, Unable, Unfit};

    #[track_caller]
    fn check(fitness: Fitness, leaders: Fitness, expected: Option<&str>) {
        match (shortcoming(fitness, leaders), expected) {
            (None, None) => {}
            (Some(said), Some(words)) => assert!(said.contains(words), "{said}"),
            (said, _) => panic!("{fitness:?} after {leaders:?}: {said:?}"),
        }
    }

    #[test]
    fn who_is_less_fit_than_the_leader_does_not_take_over() {
        check(
            Unfit,
            Fit,
            Some("less fit than the leader: it cannot write"),
        );
        check(Unfit, ClockBehind, Some("no room on its disk"));
        check(
            ClockBehind,
            Fit,
            Some("less fit than the leader: its clock"),
        );
        for leaders in [Unable, Unfit, ClockBehind, Fit] {
            check(
                Unable,
                leaders,
                Some("sealed, about to stop, or does not answer"),
            );
        }
    }

    #[test]
    fn who_is_as_fit_or_fitter_takes_over() {
        for (fitness, leaders) in [
            (Fit, Fit),
            (Fit, ClockBehind),
            (Fit, Unable),
            (ClockBehind, ClockBehind),
            (ClockBehind, Unfit),
            (Unfit, Unfit),
            (Unfit, Unable),
        ] {
            check(fitness, leaders, None);
        }
    }
}
