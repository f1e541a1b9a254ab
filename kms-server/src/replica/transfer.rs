//! Leadership from one voter to another: who could take it over, and waiting until one has.
//!
//! From the moment Raft tells an heir to lead, this leader takes no more writes and sends no more
//! heartbeats. If the heir fails, whoever else can is elected soon; so everything that can be
//! checked is checked before.

use std::time::Duration;

use openraft::RaftMetrics;
use openraft::async_runtime::WatchReceiver;

use super::Replica;
use super::error::TransferError;
use super::limits::{HAND_OVER_TIMEOUT, TRANSFER_PATIENCE};
use super::removal::{has_caught_up, is_removed};
use crate::raft::TypeConfig;
use crate::state::NodeId;

impl Replica {
    /// The other voters, those that hold the most of the log first; none unless this node leads.
    pub fn heirs(&self) -> Vec<NodeId> {
        let metrics = self.inner.raft.metrics().borrow_watched().clone();
        longest_logs(&metrics, self.inner.node_id)
    }

    /// Whether Raft would let this node lead instead of this leader. Only the leader can tell.
    ///
    /// # Errors
    ///
    /// When it is no voter, is being removed, is silent or behind.
    pub fn check_heir(&self, node: NodeId) -> Result<(), TransferError> {
        let metrics = self.inner.raft.metrics().borrow_watched().clone();
        let members = metrics.membership_config.membership();
        let joined = self.read(|index| index.node(node).is_some());
        if self.read(|index| is_removed(index, node)) && members.get_node(&node).is_some() {
            return Err(TransferError::Leaving { node });
        }
        if !joined && members.get_node(&node).is_none() {
            return Err(TransferError::Unknown { node });
        }
        if !members.voter_ids().any(|voter| voter == node) {
            return Err(TransferError::NoVote { node });
        }
        match has_caught_up(&metrics, node) {
            true => Ok(()),
            false => Err(TransferError::Behind { node }),
        }
    }

    /// As [`Self::check_heir`], and waits a little for one whose answers are under way: a new
    /// leader has heard of nobody.
    ///
    /// # Errors
    ///
    /// As [`Self::check_heir`].
    pub async fn wait_heir(&self, node: NodeId) -> Result<(), TransferError> {
        let deadline = sys::clock::monotonic() + TRANSFER_PATIENCE;
        loop {
            match self.check_heir(node) {
                Err(TransferError::Behind { .. }) if sys::clock::monotonic() < deadline => {
                    tokio::time::sleep(POLL).await;
                }
                checked => return checked,
            }
        }
    }

    /// Hands leadership to this voter, if this node leads; answers who leads then, which is another
    /// one where the heir failed. None when nobody does after a while.
    ///
    /// One at a time: two heirs at once would stand against each other. Whoever waited for its turn
    /// finds that another leads already.
    pub async fn hand_over_to(&self, heir: NodeId) -> Option<NodeId> {
        let _turn = self.inner.handing_over.lock().await;
        let own = self.inner.node_id;
        let raft = &self.inner.raft;
        if let Err(error) = raft.trigger().transfer_leader(heir).await {
            tracing::warn!(%heir, %error, "leadership cannot be handed over");
            return None;
        }
        let mut metrics = raft.metrics();
        let handed_over = async {
            loop {
                let leader = metrics.borrow_watched().current_leader;
                if leader.is_some_and(|leader| leader != own) || metrics.changed().await.is_err() {
                    return leader.filter(|leader| *leader != own);
                }
            }
        };
        match tokio::time::timeout(HAND_OVER_TIMEOUT, handed_over).await {
            Ok(leader) => leader,
            Err(_) => {
                tracing::warn!(%heir, "leadership was not taken over in time");
                None
            }
        }
    }
}

/// The voters but this leader, those that hold the most of the log first.
pub(super) fn longest_logs(metrics: &RaftMetrics<TypeConfig>, own: NodeId) -> Vec<NodeId> {
    let Some(replication) = &metrics.replication else {
        return Vec::new();
    };
    let voters = metrics.membership_config.membership().voter_ids();
    let mut heirs: Vec<_> = voters
        .filter(|voter| *voter != own)
        .filter_map(|voter| Some((replication.get(&voter)?.as_ref()?.index, voter)))
        .collect();
    heirs.sort_unstable_by(|one, other| other.cmp(one));
    heirs.into_iter().map(|(_, voter)| voter).collect()
}

const POLL: Duration = Duration::from_millis(20);
