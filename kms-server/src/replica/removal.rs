//! Taking a member out: whether the others can spare it, and waiting until Raft has let it go.
//!
//! The command that removes a node comes first: it is the intent, and it outlives its leader. The
//! membership task of whoever leads then takes every member whose identity is revoked out of Raft
//! (docs/adr/0011-removal.md).

use std::time::Duration;

use kms_client::reason::{REASON_METADATA, Reason};
use openraft::async_runtime::WatchReceiver;
use openraft::{Instant, RaftMetrics};
use tokio::sync::MutexGuard;
use ward_proto::peer::v1::GetNodeStatusRequest;

use super::Replica;
use super::error::RemovalError;
use super::limits::{
    HEARD_WITHIN, LAG_ENTRIES_MAX, MEMBERSHIP_TIMEOUT, REMOVAL_PATIENCE, REMOVED_AFTER_SILENCE,
};
use crate::raft::TypeConfig;
use crate::raft::network::{Lane, request_for};
use crate::state::{IdentityState, Index, NodeId, Role};

impl Replica {
    /// Waits for its turn: two removals at once could each count on the other's node.
    pub async fn begin_removal(&self) -> MutexGuard<'_, ()> {
        self.inner.removing.lock().await
    }

    /// Whether this node's removal is decided and Raft has not let it go yet.
    pub fn is_leaving(&self, node: NodeId) -> bool {
        self.member(node).is_some() && self.read(|index| is_removed(index, node))
    }

    /// Whether this node is a member whose removal is not decided: only such a one vouches for
    /// callers.
    pub fn is_staying(&self, node: NodeId) -> bool {
        self.member(node).is_some() && !self.read(|index| is_removed(index, node))
    }

    /// Whether the cluster can do without this node. Only the leader can tell. Whose removal is
    /// decided already is not counted on: it may be switched off as soon as Raft has let it go.
    ///
    /// If this allows it, and there is a quorum now, then Raft can let all of them go, those that
    /// are dead first: each of these steps leaves as many that answer, of fewer.
    ///
    /// # Errors
    ///
    /// When it is no member, or the voters that stay and are there would be no quorum.
    pub fn check_removal(&self, node: NodeId) -> Result<(), RemovalError> {
        let joined = self.read(|index| index.node(node).is_some());
        let metrics = self.inner.raft.metrics().borrow_watched().clone();
        let members = metrics.membership_config.membership();
        if !joined && members.get_node(&node).is_none() {
            return Err(RemovalError::Unknown { node });
        }
        let voters: Vec<_> = members.voter_ids().collect();
        if !voters.contains(&node) {
            return Ok(());
        }
        let left = self.read(|index| staying(&voters, node, |voter| is_removed(index, voter)));
        enough(&left, node, |voter| {
            voter == self.inner.node_id || has_caught_up(&metrics, voter)
        })
    }

    /// Waits a little for voters whose answers are under way: a new leader has heard of nobody.
    pub async fn wait_removable(&self, node: NodeId) {
        let deadline = sys::clock::monotonic() + REMOVAL_PATIENCE;
        while matches!(self.check_removal(node), Err(RemovalError::Quorum { .. }))
            && sys::clock::monotonic() < deadline
        {
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until this node's membership is without `node`, and that is committed.
    ///
    /// # Errors
    ///
    /// When that takes too long; it goes on all the same.
    pub async fn wait_removed(&self, node: NodeId) -> Result<(), RemovalError> {
        let mut metrics = self.inner.raft.metrics();
        let gone = async {
            loop {
                let committed = metrics.borrow_watched().committed_membership_config.clone();
                let committed = committed.membership();
                if committed.get_node(&node).is_none() && committed.get_joint_config().len() == 1 {
                    return true;
                }
                if metrics.changed().await.is_err() {
                    return false;
                }
            }
        };
        match tokio::time::timeout(MEMBERSHIP_TIMEOUT, gone).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(RemovalError::Unfinished { node }),
        }
    }

    /// Whether this leader hears from a member.
    pub fn hears(&self, member: NodeId) -> bool {
        let metrics = self.inner.raft.metrics().borrow_watched().clone();
        answers(&metrics, member)
    }

    /// A member that does not answer now, and the voter that joined in its place; only the leader
    /// can tell.
    pub fn replaced(&self) -> Option<(NodeId, NodeId)> {
        let metrics = self.inner.raft.metrics().borrow_watched().clone();
        let members = metrics.membership_config.membership();
        let votes = |node: NodeId| members.voter_ids().any(|voter| voter == node);
        self.read(|index| {
            let pairs = index
                .nodes()
                .filter_map(|new| Some((new.replaces?, new.node_id)));
            let mut dead = pairs.filter(|(former, new)| {
                index.node(*former).is_some() && votes(*new) && !answers(&metrics, *former)
            });
            dead.next()
        })
    }

    /// Whether another member says that this node was removed. Asked only when no leader has been
    /// heard for a while: who is removed hears from none.
    pub(crate) async fn was_removed(&self) -> bool {
        let status = self.status();
        let leads = status.leader == Some(status.node_id);
        if leads || self.inner.candidacy.silence() < REMOVED_AFTER_SILENCE {
            return false;
        }
        let others = status.members.iter().map(|member| member.node_id);
        let others = others.filter(|node| *node != self.inner.node_id);
        let said = futures::future::join_all(others.map(|node| self.says_removed(node)));
        said.await.contains(&true)
    }

    async fn says_removed(&self, peer: NodeId) -> bool {
        let mut client = self.inner.peers.client(peer, Lane::Control);
        let asking = client.get_node_status(request_for(peer, GetNodeStatusRequest {}));
        let Ok(Err(status)) = tokio::time::timeout(REMOVAL_PATIENCE, asking).await else {
            return false;
        };
        let reason = status.metadata().get(REASON_METADATA);
        reason.is_some_and(|reason| reason.as_bytes() == Reason::NodeRemoved.as_str().as_bytes())
    }
}

/// Whether a member is to be taken out of Raft.
pub(super) fn is_removed(index: &Index, node: NodeId) -> bool {
    let identity = index.identity(Role::Node, &node.to_string());
    identity.is_some_and(|identity| identity.state == IdentityState::Revoked)
}

/// Whether Raft can let `node` go now: the voters but it that are there, removed or not, are a
/// quorum of what will be left.
pub(super) fn can_spare(
    metrics: &RaftMetrics<TypeConfig>,
    own: NodeId,
    node: NodeId,
) -> Result<(), RemovalError> {
    let voters: Vec<_> = metrics.membership_config.membership().voter_ids().collect();
    if !voters.contains(&node) {
        return Ok(());
    }
    let there = |voter| voter == own || has_caught_up(metrics, voter);
    enough(&staying(&voters, node, |_| false), node, there)
}

/// The voters that are left when `node` and those that are removed are gone.
fn staying(voters: &[NodeId], node: NodeId, is_removed: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
    let stays = |voter: &NodeId| *voter != node && !is_removed(*voter);
    voters.iter().copied().filter(stays).collect()
}

/// Whether those of `left` that are there are a quorum of them.
fn enough(
    left: &[NodeId],
    node: NodeId,
    there: impl Fn(NodeId) -> bool,
) -> Result<(), RemovalError> {
    if left.is_empty() {
        return Err(RemovalError::LastVoter { node });
    }
    let missing: Vec<_> = left.iter().copied().filter(|it| !there(*it)).collect();
    let quorum = left.len() / 2 + 1;
    if left.len() - missing.len() >= quorum {
        return Ok(());
    }
    let missing = missing.iter().map(ToString::to_string).collect::<Vec<_>>();
    Err(RemovalError::Quorum {
        node,
        left: left.len(),
        quorum,
        missing: missing.join(", "),
    })
}

pub(super) fn has_caught_up(metrics: &RaftMetrics<TypeConfig>, voter: NodeId) -> bool {
    let last = metrics.last_log_index.unwrap_or_default();
    let matched = metrics.replication.as_ref().and_then(|map| map.get(&voter));
    let matched = matched.and_then(|matched| matched.as_ref());
    matched.is_some_and(|matched| matched.index + LAG_ENTRIES_MAX >= last)
        && answers(metrics, voter)
}

/// Whether a heartbeat of the last second was answered.
pub(super) fn answers(metrics: &RaftMetrics<TypeConfig>, member: NodeId) -> bool {
    let answered = metrics.heartbeat.as_ref().and_then(|map| map.get(&member));
    let answered = answered.and_then(|at| at.as_ref());
    answered.is_some_and(|at| at.elapsed() <= HEARD_WITHIN)
}

const POLL: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    fn check(voters: &[u64], node: u64, there: &[u64], expected: Result<(), &str>) {
        check_after(&[], voters, node, there, expected);
    }

    fn check_after(
        removed: &[u64],
        voters: &[u64],
        node: u64,
        there: &[u64],
        expected: Result<(), &str>,
    ) {
        let voters: Vec<_> = voters.iter().copied().map(NodeId).collect();
        let left = staying(&voters, NodeId(node), |voter| removed.contains(&voter.0));
        let said = enough(&left, NodeId(node), |voter| there.contains(&voter.0));
        match (said, expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (said, _) => panic!("{voters:?} without {node}: {said:?}"),
        }
    }

    #[test]
    fn who_stays_and_is_there_must_be_a_quorum() {
        check(&[1, 2, 3], 3, &[1, 2], Ok(()));
        check(&[1, 2, 3], 2, &[1, 3], Ok(()));
        check(&[1, 2, 3], 3, &[1, 3], Err("node_id 2"));
        check(&[1, 2], 2, &[1, 2], Ok(()));
        check(&[1], 1, &[1], Err("last voter"));
        check(&[1, 2, 3, 4], 4, &[1, 2, 4], Ok(()));
        check(&[1, 2, 3, 4, 5], 5, &[1, 2, 5], Err("node_id 3, 4"));
    }

    // Mutation: counting on who is removed already accepts the third of these removals.
    #[test]
    fn who_is_removed_already_is_not_counted_on() {
        let (voters, there) = ([1, 2, 3, 4, 5], [1, 2, 3, 4]);
        check_after(&[], &voters, 4, &there, Ok(()));
        check_after(&[4], &voters, 3, &there, Ok(()));
        check_after(&[3, 4], &voters, 2, &there, Err("node_id 5"));
        // Nor does it stand in the way: the dead one goes, then the one that waited for that.
        check_after(&[2], &[1, 2, 3], 3, &[1, 2], Ok(()));
        check_after(&[2], &[1, 2], 1, &[1, 2], Err("last voter"));
    }
}
