//! Writes that any node takes up and the leader carries out: handed over once, never further.
//!
//! Only members hand over, over the peer listener; they vouch for the caller, whose status the
//! leader looks at again. One that was removed vouches for nobody, also while Raft still keeps it.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use kms_client::reason::Reason;
use serde::{Deserialize, Serialize};

use crate::api::call::Call;
use crate::api::caller::Caller;
use crate::api::cluster::announce_gateway::{self, Announcement};
use crate::api::failure::Failure;
use crate::api::gateways::acknowledge::{self, Acknowledgement};
use crate::api::identities::issue::{self, Certificate, Wanted};
use crate::api::identities::join::{self, Became, Joiner};
use crate::api::rewraps::report::{self, Report};
use crate::node::context::Node;
use crate::state::{NodeId, SpkiHash};

/// What is handed to the leader. Both sides run the same version or the next one: new variants go
/// to the end.
#[derive(Serialize, Deserialize)]
pub(crate) enum Handed {
    /// IssueCertificate.
    IssueCertificate(HandedCaller, Wanted),
    /// AnnounceGateway.
    AnnounceGateway(HandedCaller, Announcement),
    /// Join.
    Join(Joiner),
    /// AcknowledgeContainment.
    AcknowledgeContainment(HandedCaller, Acknowledgement),
    /// ReportArchive.
    ReportArchive(HandedCaller, Report),
}

/// What the leader answers.
#[derive(Serialize, Deserialize)]
pub(crate) enum Answer {
    /// To IssueCertificate.
    Certificate(Certificate),
    /// To AnnounceGateway.
    Announced,
    /// To Join.
    Joined(Became),
    /// To AcknowledgeContainment.
    Acknowledged,
    /// To ReportArchive.
    Reported,
}

/// A caller that a member vouches for.
#[derive(Serialize, Deserialize)]
pub(crate) struct HandedCaller {
    uri: String,
    spki_sha256: SpkiHash,
    expired: bool,
    /// Where it called from, for the leader's audit record.
    peer: Option<SocketAddr>,
}

impl HandedCaller {
    /// Vouches for the caller of `call`.
    pub(crate) fn of(call: &Call) -> Self {
        let caller = &call.caller;
        let (uri, spki_sha256) = (caller.id.to_string(), caller.spki_sha256);
        Self {
            uri,
            spki_sha256,
            expired: caller.expired,
            peer: call.peer,
        }
    }

    fn take_up(&self) -> Result<Caller, Failure> {
        let id: kms_client::identity::SpiffeId = self
            .uri
            .parse()
            .map_err(|_| Failure::invalid("a caller is named by its SPIFFE URI"))?;
        let (role, spki_sha256) = (id.role().into(), self.spki_sha256);
        Ok(Caller {
            id,
            role,
            spki_sha256,
            expired: self.expired,
        })
    }
}

/// Carries out `handed` here if this node leads, else lets the leader do it.
///
/// # Errors
/// NO_LEADER, or what the leader refused.
pub(crate) async fn to_leader(node: &Arc<Node>, handed: Handed) -> Result<(Answer, u64), Failure> {
    if node.leads() {
        return carry_out(node, handed).await;
    }
    let Some((leader, member)) = node.replica.leader().filter(|(id, _)| *id != node.id) else {
        return Err(Failure::not_leader(None));
    };
    let intent = postcard::to_stdvec(&handed)
        .map_err(|_| Failure::internal("a write cannot be handed over"))?;
    let answer = node.peers.forward(leader, &member, intent.into()).await?;
    let outcome = postcard::from_bytes(&answer.outcome).map_err(|_| {
        Failure::new(
            Reason::VersionNewer,
            "the leader's answer is not understood",
        )
    })?;
    Ok((outcome, answer.index))
}

/// Carries out what a member handed over. It is not handed on: a node that leads no longer says
/// NOT_LEADER.
///
/// # Errors
/// What the verb refused; UNAVAILABLE for a member that was removed, whose clients ask another.
pub(crate) async fn take(
    node: &Arc<Node>,
    from: NodeId,
    intent: &[u8],
) -> Result<(Bytes, u64), Failure> {
    // A leader that was elected a moment ago may not have applied a removal that was answered.
    node.replica.read_barrier().await?;
    if !node.replica.is_staying(from) {
        let message = "this node was removed from the cluster; ask another";
        return Err(Failure::new(Reason::Unavailable, message));
    }
    let handed = postcard::from_bytes(intent)
        .map_err(|_| Failure::invalid("the handed write is not understood"))?;
    let (answer, index) = carry_out(node, handed).await?;
    let outcome = postcard::to_stdvec(&answer)
        .map_err(|_| Failure::internal("an answer cannot be handed back"))?;
    Ok((outcome.into(), index))
}

/// In a task of its own, so that neither the caller's deadline nor the peer's parts a write from
/// its audit record.
async fn carry_out(node: &Arc<Node>, handed: Handed) -> Result<(Answer, u64), Failure> {
    let own = Arc::clone(node);
    let write = async move { answer(&own, handed).await };
    node.writes.carry("handed-write", write).await
}

async fn answer(node: &Arc<Node>, handed: Handed) -> Result<(Answer, u64), Failure> {
    match handed {
        Handed::IssueCertificate(caller, wanted) => {
            let call = Call::on_behalf(node, caller.take_up()?, caller.peer);
            let (certificate, index) = issue::on_leader(&call, &wanted).await?;
            Ok((Answer::Certificate(certificate), index))
        }
        Handed::AnnounceGateway(caller, announcement) => {
            let call = Call::on_behalf(node, caller.take_up()?, caller.peer);
            let index = announce_gateway::on_leader(&call, &announcement).await?;
            Ok((Answer::Announced, index))
        }
        Handed::Join(joiner) => {
            let (became, index) = join::on_leader(node, &joiner).await?;
            Ok((Answer::Joined(became), index))
        }
        Handed::AcknowledgeContainment(caller, acknowledgement) => {
            let call = Call::on_behalf(node, caller.take_up()?, caller.peer);
            let index = acknowledge::on_leader(&call, &acknowledgement).await?;
            Ok((Answer::Acknowledged, index))
        }
        Handed::ReportArchive(caller, report) => {
            let call = Call::on_behalf(node, caller.take_up()?, caller.peer);
            let index = report::on_leader(&call, report).await?;
            Ok((Answer::Reported, index))
        }
    }
}
