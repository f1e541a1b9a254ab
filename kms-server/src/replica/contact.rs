//! What a leader sees of the other members: whether they answer, and how far they are.

use std::time::Duration;

use openraft::Instant;
use openraft::async_runtime::WatchReceiver;
use ward_proto::peer::v1::{LeaderView, MemberContact};

use super::Replica;
use super::removal::{answers, is_removed};
use crate::state::NodeId;

impl Replica {
    /// What this node sees of its cluster; none unless it leads.
    pub(crate) fn leader_view(&self) -> Option<LeaderView> {
        let metrics = self.inner.raft.metrics().borrow_watched().clone();
        let last = metrics.last_log_index.unwrap_or_default();
        let replication = metrics.replication.as_ref()?;
        let contact = |node: &NodeId| {
            let matched = replication.get(node).and_then(Option::as_ref);
            let answered = metrics.heartbeat.as_ref().and_then(|map| map.get(node));
            let answered = answered.and_then(Option::as_ref);
            MemberContact {
                node_id: node.0,
                last_contact_ms: answered.map(|at| millis(at.elapsed())),
                heard: answers(&metrics, *node),
                lag_entries: last.saturating_sub(matched.map_or(0, |matched| matched.index)),
                steady_ms: self.inner.membership.steady_for(*node).map(millis),
                leaving: self.read(|index| is_removed(index, *node)),
            }
        };
        let members = metrics.membership_config.membership().nodes();
        let others = members.map(|(node, _)| node);
        let others = others.filter(|node| **node != self.inner.node_id);
        Some(LeaderView {
            members: others.map(contact).collect(),
            steady_needed_ms: millis(self.inner.membership.steady_needed()),
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
