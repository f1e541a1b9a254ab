//! Judges the cluster: what is wrong with each node, and how many voters may still fail.
//!
//! What a node knows of itself is in its own status; whether it is heard and keeps up, only the
//! leader knows. Pure, so that every case can be tried.

use ward_proto::peer::v1::{LeaderView, MemberContact};
use ward_proto::v1::{Ailment, ClusterHealth, NodeStatus};

/// Completes the status of each node by what its leader, `by`, sees, and judges the whole.
pub(super) fn judge(nodes: &mut [NodeStatus], by: u64, view: Option<&LeaderView>) -> ClusterHealth {
    let Some(view) = view else {
        return ClusterHealth::default();
    };
    for node in nodes.iter_mut() {
        if node.node_id == by {
            node.lag_entries = Some(0);
        } else if let Some(contact) = contact(view, node.node_id) {
            complete(node, contact);
        }
    }
    ClusterHealth {
        healthy: nodes.iter().all(|node| node.ailments.is_empty()),
        failure_tolerance: tolerance(nodes),
        steady_needed_ms: view.steady_needed_ms,
        told_by: by,
    }
}

fn contact(view: &LeaderView, node: u64) -> Option<&MemberContact> {
    view.members.iter().find(|member| member.node_id == node)
}

fn complete(node: &mut NodeStatus, contact: &MemberContact) {
    node.last_contact_ms = contact.last_contact_ms;
    node.lag_entries = Some(contact.lag_entries);
    node.steady_ms = contact.steady_ms;
    if !contact.heard {
        node.push_ailments(Ailment::Silent);
    } else if node.voter && contact.steady_ms.is_none() {
        node.push_ailments(Ailment::Behind);
    }
    if contact.leaving {
        node.push_ailments(Ailment::Leaving);
    }
}

/// A quorum must be left, and one voter that can lead: whichever fail.
fn tolerance(nodes: &[NodeStatus]) -> u32 {
    let voters = || nodes.iter().filter(|node| node.voter);
    let quorum = voters().count() / 2 + 1;
    let there = voters().filter(|node| !has_any(node, &NO_VOTE)).count();
    let able = voters().filter(|node| !has_any(node, &NO_LEADER)).count();
    let left = there.saturating_sub(quorum).min(able.saturating_sub(1));
    u32::try_from(left).unwrap_or(u32::MAX)
}

fn has_any(node: &NodeStatus, ailments: &[Ailment]) -> bool {
    node.ailments().any(|ailment| ailments.contains(&ailment))
}

/// Whose log and vote cannot be counted on.
const NO_VOTE: [Ailment; 5] = [
    Ailment::Silent,
    Ailment::Behind,
    Ailment::LogTorn,
    Ailment::Stopping,
    Ailment::Leaving,
];

/// Under whom the cluster would not serve.
const NO_LEADER: [Ailment; 9] = [
    Ailment::Unreachable,
    Ailment::Silent,
    Ailment::Behind,
    Ailment::Sealed,
    Ailment::AuditUnavailable,
    Ailment::StorageFull,
    Ailment::LogTorn,
    Ailment::Stopping,
    Ailment::Leaving,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A leader, 1, that hears all others and sees them keep up.
    struct Seen {
        nodes: Vec<NodeStatus>,
        view: LeaderView,
    }

    impl Seen {
        fn of(voters: u64) -> Self {
            let node = |node_id| NodeStatus {
                node_id,
                voter: true,
                ..NodeStatus::default()
            };
            let contact = |node_id| MemberContact {
                node_id,
                last_contact_ms: Some(20),
                heard: true,
                lag_entries: 0,
                steady_ms: Some(60_000),
                leaving: false,
            };
            Self {
                nodes: (1..=voters).map(node).collect(),
                view: LeaderView {
                    members: (2..=voters).map(contact).collect(),
                    steady_needed_ms: 5_000,
                },
            }
        }

        fn says(mut self, node: u64, ailment: Ailment) -> Self {
            self.nodes[at(node)].push_ailments(ailment);
            self
        }

        fn sees(mut self, node: u64, change: impl FnOnce(&mut MemberContact)) -> Self {
            change(&mut self.view.members[at(node) - 1]);
            self
        }

        fn learns(mut self, node: u64) -> Self {
            self.nodes[at(node)].voter = false;
            self.sees(node, |it| it.steady_ms = None)
        }

        #[track_caller]
        fn check(mut self, healthy: bool, failure_tolerance: u32) {
            let health = judge(&mut self.nodes, 1, Some(&self.view));
            let judged = (health.healthy, health.failure_tolerance);
            assert_eq!(judged, (healthy, failure_tolerance));
        }
    }

    fn at(node: u64) -> usize {
        usize::try_from(node).unwrap() - 1
    }

    fn silent(contact: &mut MemberContact) {
        contact.heard = false;
    }

    #[test]
    fn of_so_many_healthy_voters_so_many_may_fail() {
        for (voters, tolerance) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (7, 3)] {
            Seen::of(voters).check(true, tolerance);
        }
    }

    #[test]
    fn a_voter_that_is_gone_is_one_less_to_fail() {
        Seen::of(5).sees(2, silent).check(false, 1);
        Seen::of(5).sees(2, silent).sees(3, silent).check(false, 0);
        Seen::of(3).sees(2, silent).sees(3, silent).check(false, 0);
        Seen::of(3)
            .sees(2, |it| it.steady_ms = None)
            .check(false, 0);
        Seen::of(5).sees(2, |it| it.leaving = true).check(false, 1);
    }

    // Mutation: votes alone say that a cluster may lose the only node that can open its keys.
    #[test]
    fn one_that_can_lead_must_be_left() {
        let sealed = Ailment::Sealed;
        Seen::of(3).says(2, sealed).check(false, 1);
        Seen::of(3).says(2, sealed).says(3, sealed).check(false, 0);
        Seen::of(5)
            .says(2, sealed)
            .says(3, sealed)
            .says(4, sealed)
            .check(false, 1);
        Seen::of(3).says(2, Ailment::ClockBehind).check(false, 1);
        // The leader hears it; that the serving node does not is no vote lost.
        Seen::of(3).says(2, Ailment::Unreachable).check(false, 1);
    }

    #[test]
    fn a_learner_that_catches_up_is_healthy_and_counts_for_nothing() {
        Seen::of(4).learns(4).check(true, 1);
        Seen::of(4).learns(4).sees(4, silent).check(false, 1);
    }

    #[test]
    fn without_the_leaders_word_nothing_is_promised() {
        let health = judge(&mut Seen::of(3).nodes, 1, None);
        assert!(!health.healthy && health.failure_tolerance == 0 && health.told_by == 0);
    }
}
