//! Hands leadership over while this node cannot do what a leader must: its audit log cannot be
//! written, or its disk is full. One of the node's chores.

use std::time::Duration;

use crate::node::context::Node;
use crate::state::NodeId;

/// Looks again and again until the node drains. A node that stays unfit tries less and less often:
/// when nobody else is fit it leads on, because containment must stay possible.
pub(super) async fn hand_over_when_unfit(node: &Node) {
    let mut pause = INTERVAL;
    loop {
        tokio::select! {
            () = node.draining.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        if !node.leads() || node.is_fit_to_lead() {
            pause = INTERVAL;
            continue;
        }
        match fit_heir(node).await {
            Some(heir) => {
                tracing::warn!(%heir, "this node is not fit to lead; handing leadership over");
                node.replica.hand_over_to(heir).await;
            }
            None => tracing::error!("this node is not fit to lead, and no other voter is"),
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// The voter that holds the most of the log among those that are fit.
async fn fit_heir(node: &Node) -> Option<NodeId> {
    for heir in node.replica.heirs() {
        if let Some(member) = node.replica.member(heir)
            && node.peers.is_fit_to_lead(heir, &member).await
        {
            return Some(heir);
        }
    }
    None
}

const INTERVAL: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
