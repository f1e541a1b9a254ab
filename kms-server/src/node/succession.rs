//! Hands leadership over while this node cannot do what a leader must: it is sealed, its audit log
//! cannot be written, its disk is full, or its clock is far behind. One of the node's chores.

use std::time::Duration;

use crate::node::context::Node;
use crate::state::NodeId;

/// Looks again and again until the node drains. A node that stays unfit tries less and less often:
/// when nobody else is fit it leads on, because containment must stay possible.
pub(super) async fn hand_over_when_unfit(node: &Node) {
    let mut pause = INTERVAL;
    let mut complained = false;
    loop {
        tokio::select! {
            () = node.draining.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let sealed = node.vault.is_sealed();
        if !node.leads() || (node.is_fit_to_lead() && !sealed) {
            (pause, complained) = (INTERVAL, false);
            continue;
        }
        match fit_heir(node).await {
            Some(heir) => {
                tracing::warn!(%heir, "this node is not fit to lead; handing leadership over");
                node.replica.hand_over_to(heir).await;
            }
            None if complained => {}
            None => {
                complained = true;
                tracing::error!(
                    sealed,
                    "this node is not fit to lead, and no other voter is"
                );
            }
        }
        // Nothing is served under a sealed leader: the first that can takes over.
        pause = match sealed {
            true => INTERVAL,
            false => (pause * 2).min(PAUSE_MAX),
        };
    }
}

/// Hands leadership over before this node stops, if it leads: to a fit voter, else to whoever holds
/// the most of the log.
pub(super) async fn hand_over(node: &Node) {
    match fit_heir(node).await {
        Some(heir) => node.replica.hand_over_to(heir).await,
        None => node.replica.hand_over().await,
    }
}

/// The voter that holds the most of the log among those that are fit.
pub(crate) async fn fit_heir(node: &Node) -> Option<NodeId> {
    for heir in node.replica.heirs() {
        if let Some(member) = node.replica.member(heir)
            && node.peers.is_fit_to_lead(heir, &member).await
        {
            return Some(heir);
        }
    }
    None
}

const INTERVAL: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(30);
