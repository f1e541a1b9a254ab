//! Hands leadership over while this node cannot do what a leader must: it is sealed, its audit log
//! cannot be written, its disk is full, or its clock is far behind. One of the node's chores.

use std::time::Duration;

use crate::node::context::Node;
use crate::raft::peer::Fitness;
use crate::state::NodeId;

/// Looks again and again until the node stops. A node that stays unfit tries less and less often:
/// when nobody else is fit it leads on, because containment must stay possible.
pub(super) async fn hand_over_when_unfit(node: &Node) {
    let mut pause = INTERVAL;
    let mut complained = false;
    loop {
        tokio::select! {
            () = node.stopping.cancelled() => return,
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

/// Hands leadership over before this node stops, if it leads and another can take it over: the
/// fittest. When all nodes stop together, nobody can.
pub(super) async fn hand_over(node: &Node) {
    if !node.leads() {
        return;
    }
    if let Some(heir) = heir_above(node, Fitness::Unable).await {
        let leader = node.replica.hand_over_to(heir).await;
        tracing::info!(%heir, ?leader, "leadership was handed over before the end");
    }
}

/// The fittest voter of those that are fitter than this; of several, the one that holds the most of
/// the log.
pub(crate) async fn heir_above(node: &Node, than: Fitness) -> Option<NodeId> {
    fittest(node, node.replica.heirs(), than).await
}

/// The first of the fittest of `heirs`, if it is fitter than this.
pub(crate) async fn fittest(node: &Node, heirs: Vec<NodeId>, than: Fitness) -> Option<NodeId> {
    let mut best = None;
    for heir in heirs {
        let fitness = fitness_of(node, heir).await;
        if fitness > best.map_or(than, |(fitness, _)| fitness) {
            best = Some((fitness, heir));
        }
        if fitness == Fitness::Fit {
            break;
        }
    }
    best.map(|(_, heir)| heir)
}

/// How fit a member says it is.
pub(crate) async fn fitness_of(node: &Node, member: NodeId) -> Fitness {
    match node.replica.member(member) {
        Some(known) => node.peers.fitness(member, &known).await,
        None => Fitness::Unable,
    }
}

const INTERVAL: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(30);
