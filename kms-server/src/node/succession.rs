//! Hands leadership over while this node cannot do what a leader must: it is sealed, its audit log
//! cannot be written, its disk is full, or its clock is far behind. One of the node's chores.

use std::time::Duration;

use crate::node::context::Node;
use crate::raft::peer::Fitness;
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
        let (sealed, fitness) = (node.vault.is_sealed(), node.fitness());
        if !node.leads() || fitness == Fitness::Fit {
            (pause, complained) = (INTERVAL, false);
            continue;
        }
        match heir_above(node, fitness).await {
            Some(heir) => {
                tracing::warn!(%heir, ?fitness, "another node is fitter to lead; handing over");
                node.replica.hand_over_to(heir).await;
            }
            None if complained => {}
            None => {
                complained = true;
                tracing::error!(
                    sealed,
                    ?fitness,
                    "this node is not fit to lead, and no other voter is fitter"
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
    match heir_above(node, Fitness::Unfit).await {
        Some(heir) => node.replica.hand_over_to(heir).await,
        None => node.replica.hand_over().await,
    }
}

/// The fittest voter of those that are fitter than this; of several, the one that holds the most of
/// the log.
pub(crate) async fn heir_above(node: &Node, than: Fitness) -> Option<NodeId> {
    let mut best = None;
    for heir in node.replica.heirs() {
        let Some(member) = node.replica.member(heir) else {
            continue;
        };
        let fitness = node.peers.fitness(heir, &member).await;
        if fitness > best.map_or(than, |(fitness, _)| fitness) {
            best = Some((fitness, heir));
        }
        if fitness == Fitness::Fit {
            break;
        }
    }
    best.map(|(_, heir)| heir)
}

const INTERVAL: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(30);
