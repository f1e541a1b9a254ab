//! Hands leadership over while this node cannot do what a leader must: it is sealed, its audit log
//! cannot be written, its disk is full, or its clock is far behind. One of the node's chores.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesOrdered;

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
    let heir = fittest(node, node.replica.heirs(), than).await;
    heir.map(|(_, heir)| heir)
}

/// The first of the fittest of `heirs`, if it is fitter than this, and how fit it is.
pub(crate) async fn fittest(
    node: &Node,
    heirs: Vec<NodeId>,
    than: Fitness,
) -> Option<(Fitness, NodeId)> {
    let asked = heirs.into_iter();
    first_of_the_fittest(
        asked.map(async |heir| (fitness_of(node, heir).await, heir)),
        than,
    )
    .await
}

/// All are asked at once, for each may let itself be waited for; nobody is waited for behind one
/// that is fit.
async fn first_of_the_fittest(
    asked: impl Iterator<Item: Future<Output = (Fitness, NodeId)>>,
    than: Fitness,
) -> Option<(Fitness, NodeId)> {
    let mut told: FuturesOrdered<_> = asked.collect();
    let mut best = None;
    while let Some((fitness, heir)) = told.next().await {
        if fitness > best.map_or(than, |(fitness, _)| fitness) {
            best = Some((fitness, heir));
        }
        if fitness == Fitness::Fit {
            break;
        }
    }
    best
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

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures::FutureExt;
    use futures::future::Either;
    use tokio::sync::Barrier;

    use super::*;
    use Fitness::{ClockBehind, Fit, Unable, Unfit};

    fn check(told: &[Fitness], than: Fitness, expected: Option<(Fitness, u64)>) {
        let heirs = (1..).map(NodeId);
        let asked = told.iter().copied().zip(heirs).map(ready);
        let found = first_of_the_fittest(asked, than).now_or_never();
        let expected = expected.map(|(fitness, heir)| (fitness, NodeId(heir)));
        assert_eq!(found, Some(expected), "{told:?} above {than:?}");
    }

    #[test]
    fn of_the_fittest_the_first_is_the_heir_and_only_above_the_bound() {
        check(&[], Unable, None);
        check(&[Unable, Unable], Unable, None);
        check(
            &[Unfit, ClockBehind, Unable],
            Unable,
            Some((ClockBehind, 2)),
        );
        check(&[Unfit, ClockBehind], ClockBehind, None);
        check(&[ClockBehind, Fit, Fit], ClockBehind, Some((Fit, 2)));
        check(&[Unfit, Unfit], Unable, Some((Unfit, 1)));
    }

    // Mutation: one after the other, the first waits for ever for the others to be asked.
    #[test]
    fn all_are_asked_at_once() {
        let (all, fitness) = (Barrier::new(3), [Unable, Unable, Fit]);
        let asked = fitness.into_iter().zip((1..).map(NodeId));
        let asked = asked.map(async |told| {
            all.wait().await;
            told
        });
        let found = first_of_the_fittest(asked, Unable).now_or_never();
        assert_eq!(found, Some(Some((Fit, NodeId(3)))));
    }

    #[test]
    fn nobody_is_waited_for_behind_one_that_is_fit() {
        let silent = pending::<(Fitness, NodeId)>();
        let asked = [Either::Left(ready((Fit, NodeId(1)))), Either::Right(silent)];
        let found = first_of_the_fittest(asked.into_iter(), Unable).now_or_never();
        assert_eq!(found, Some(Some((Fit, NodeId(1)))));
    }
}
