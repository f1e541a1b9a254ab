//! How far a peer's log goes: asked by a node whose own log lost its end.

use std::sync::Arc;

use openraft::alias::{LogIdOf, VoteOf};
use openraft::raft::{VoteRequest, VoteResponse};

use super::peers::{Lane, Peers, request_for};
use super::wire::{pack, unpack};
use crate::raft::TypeConfig;
use crate::replica::limits::VIGIL_INTERVAL;
use crate::state::NodeId;

/// The end of a peer's log; none when the peer does not tell. A pre-vote asks: it changes nothing
/// there, and its answer tells this whether the vote would be granted or not.
pub(crate) async fn last_log_of(
    peers: &Arc<Peers>,
    node: NodeId,
    vote: VoteOf<TypeConfig>,
    own: Option<LogIdOf<TypeConfig>>,
) -> Option<Option<LogIdOf<TypeConfig>>> {
    let question = pack(&VoteRequest::<TypeConfig>::new(vote, own)).ok()?;
    let mut client = peers.client(node, Lane::Control);
    let asking = client.pre_vote(request_for(node, question));
    let answer = tokio::time::timeout(VIGIL_INTERVAL, asking)
        .await
        .ok()?
        .ok()?;
    let answer: VoteResponse<TypeConfig> = unpack(answer.get_ref()).ok()?;
    Some(answer.last_log_id)
}
