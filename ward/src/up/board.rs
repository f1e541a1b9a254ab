//! What is known about every process while the stack comes up: supervisors write, the start waits.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::layout::ProcessName;
use crate::error::{Failure, Reason};

/// What is known about one process.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// It has been started, or will be soon.
    Starting,
    /// It ended before it ever served, and starting it again may help: why it ended last.
    Failing(Failure),
    /// It has served, in this run.
    Ready,
    /// The cluster has removed it: it is not started again, and nobody waits for it.
    Removed,
    /// It ended before it ever served, and starting it again is not going to help: why.
    Hopeless(Failure),
}

/// The phases of all processes. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board(Arc<watch::Sender<BTreeMap<ProcessName, Phase>>>);

impl Board {
    /// Records a phase. What has served once is never hopeless: it is started until it is back.
    pub(crate) fn put(&self, name: ProcessName, phase: Phase) {
        self.0.send_modify(|phases| {
            let served = matches!(phases.get(&name), Some(Phase::Ready));
            if !served || matches!(phase, Phase::Removed) {
                phases.insert(name, phase);
            }
        });
    }

    /// Waits until every one of `names` has served.
    pub(crate) async fn ready(&self, names: &[ProcessName]) {
        let is_ready = |phases: &BTreeMap<ProcessName, Phase>, name| {
            matches!(phases.get(name), Some(Phase::Ready | Phase::Removed))
        };
        let all = |phases: &BTreeMap<_, _>| names.iter().all(|name| is_ready(phases, name));
        // The sender is this board's own: it cannot be gone.
        drop(self.0.subscribe().wait_for(all).await);
    }

    /// Waits until any one of `names` has served.
    pub(crate) async fn any_ready(&self, names: &[ProcessName]) {
        let any = |phases: &BTreeMap<_, _>| {
            let ready = |name| matches!(phases.get(name), Some(Phase::Ready));
            names.iter().any(ready)
        };
        // The sender is this board's own: it cannot be gone.
        drop(self.0.subscribe().wait_for(any).await);
    }

    /// Waits until the stack of `nodes` cannot come up any more, and says why: a gateway is
    /// hopeless, or a majority of the nodes, or the data is of a newer version.
    pub(crate) async fn hopeless(&self, nodes: usize) -> Failure {
        let mut phases = self.0.subscribe();
        loop {
            if let Some(why) = verdict(&phases.borrow_and_update(), nodes) {
                return why;
            }
            if phases.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Why some process that has not served yet ended last.
    pub(crate) fn last_words(&self) -> Option<Failure> {
        let phases = self.0.borrow();
        phases.iter().find_map(|(name, phase)| match phase {
            Phase::Failing(why) | Phase::Hopeless(why) => Some(why.clone().of(name)),
            Phase::Starting | Phase::Ready | Phase::Removed => None,
        })
    }

    /// Whether the cluster has removed this one.
    pub(crate) fn is_removed(&self, name: ProcessName) -> bool {
        matches!(self.0.borrow().get(&name), Some(Phase::Removed))
    }

    /// Which of `names` have not served yet.
    pub(crate) fn missing(&self, names: &[ProcessName]) -> Vec<ProcessName> {
        let phases = self.0.borrow();
        let missing = |name: &&ProcessName| !matches!(phases.get(name), Some(Phase::Ready));
        names.iter().filter(missing).copied().collect()
    }
}

fn verdict(phases: &BTreeMap<ProcessName, Phase>, nodes: usize) -> Option<Failure> {
    let mut hopeless_nodes = Vec::new();
    for (&name, phase) in phases {
        let Phase::Hopeless(why) = phase else {
            continue;
        };
        let why = why.clone().of(name);
        match name {
            ProcessName::Edge | ProcessName::Core => return Some(why),
            ProcessName::Node(_) if *why.reason() == Reason::VERSION_NEWER => return Some(why),
            ProcessName::Node(_) => hopeless_nodes.push(why),
        }
    }
    let gone = phases.values().filter(|it| matches!(it, Phase::Removed));
    let nodes = nodes - gone.count().min(nodes);
    let majority = nodes / 2 + 1;
    if nodes - hopeless_nodes.len().min(nodes) >= majority {
        return None;
    }
    hopeless_nodes.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(nodes: usize, hopeless: &[(ProcessName, Reason)], expected: Option<&str>) {
        let phases = hopeless
            .iter()
            .map(|(name, reason)| (*name, Phase::Hopeless(Failure::new(reason.clone(), "why"))));
        let said = verdict(&phases.collect(), nodes).map(|failure| failure.to_string());
        assert_eq!(said.as_deref(), expected);
    }

    #[test]
    fn one_node_of_three_may_be_hopeless() {
        let broken = |id| (ProcessName::Node(id), Reason::STORAGE);
        check(3, &[], None);
        check(3, &[broken(2)], None);
        check(
            3,
            &[broken(1), broken(2)],
            Some("error[STORAGE]: node-1: why"),
        );
        check(1, &[broken(1)], Some("error[STORAGE]: node-1: why"));
        check(2, &[broken(2)], Some("error[STORAGE]: node-2: why"));
    }

    #[test]
    fn a_gateway_or_newer_data_may_not() {
        let edge = (ProcessName::Edge, Reason::PORT_IN_USE);
        check(3, &[edge], Some("error[PORT_IN_USE]: edge: why"));
        let newer = (ProcessName::Node(3), Reason::VERSION_NEWER);
        check(3, &[newer], Some("error[VERSION_NEWER]: node-3: why"));
    }

    #[test]
    fn who_was_removed_is_not_counted() {
        let phases = |broken: &[u64]| {
            let why = || Phase::Hopeless(Failure::new(Reason::STORAGE, "why"));
            let removed = [2, 3].map(|id| (ProcessName::Node(id), Phase::Removed));
            let broken = broken.iter().map(|id| (ProcessName::Node(*id), why()));
            removed.into_iter().chain(broken).collect()
        };
        assert!(verdict(&phases(&[]), 3).is_none());
        assert!(verdict(&phases(&[1]), 3).is_some());
    }

    #[tokio::test]
    async fn any_one_is_enough_and_the_words_of_the_others_are_kept() {
        let board = Board::default();
        let why = Failure::new(Reason::PORT_IN_USE, "why");
        board.put(ProcessName::Node(1), Phase::Failing(why));
        board.put(ProcessName::Node(2), Phase::Ready);
        let names = [ProcessName::Node(1), ProcessName::Node(2)];
        board.any_ready(&names).await;
        let said = board.last_words().unwrap().to_string();
        assert_eq!(said, "error[PORT_IN_USE]: node-1: why");
    }

    #[tokio::test]
    async fn who_served_once_is_not_hopeless() {
        let board = Board::default();
        board.put(ProcessName::Edge, Phase::Starting);
        board.put(ProcessName::Edge, Phase::Ready);
        board.put(
            ProcessName::Edge,
            Phase::Hopeless(Failure::new(Reason::STORAGE, "why")),
        );
        board.ready(&[ProcessName::Edge]).await;
        assert!(board.last_words().is_none());
        assert_eq!(
            board.missing(&[ProcessName::Edge, ProcessName::Core]),
            [ProcessName::Core]
        );
    }
}
