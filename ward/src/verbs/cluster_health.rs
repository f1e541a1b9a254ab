//! The words for how the cluster and its nodes do, in `ward cluster status`.

use std::fmt;
use std::time::Duration;

use kms_client::model::{Ailment, ClusterHealth, NodeStatus};

/// How one node does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing is wrong.
    Healthy,
    /// It catches up.
    CatchingUp,
    /// It keeps up, and votes after so long.
    Steady(Duration, Duration),
    /// What is wrong with it.
    Ill(Vec<String>),
}

impl State {
    pub(super) fn of(node: &NodeStatus, health: Option<&ClusterHealth>) -> Self {
        if !node.ailments.is_empty() {
            let words = node.ailments.iter().map(|it| words(*it, node.last_contact));
            return Self::Ill(words.collect());
        }
        match (node.voter, node.steady, health) {
            (true, _, _) | (_, _, None) => Self::Healthy,
            (false, None, Some(_)) => Self::CatchingUp,
            (false, Some(steady), Some(health)) => Self::Steady(steady, health.steady_needed),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Healthy => out.write_str("healthy"),
            Self::CatchingUp => out.write_str("catching up"),
            Self::Steady(steady, needed) => {
                let (steady, needed) = (steady.as_secs(), needed.as_secs());
                write!(out, "steady for {steady} of {needed} s")
            }
            Self::Ill(words) => out.write_str(&words.join(", ")),
        }
    }
}

fn words(ailment: Ailment, last_contact: Option<Duration>) -> String {
    let words = match ailment {
        Ailment::Unreachable => "does not answer",
        Ailment::Silent => {
            return match last_contact {
                Some(ago) => format!("not heard by the leader for {} s", ago.as_secs()),
                None => "never heard by the leader".to_owned(),
            };
        }
        Ailment::Behind => "behind",
        Ailment::Sealed => "sealed",
        Ailment::AuditUnavailable => "cannot write its audit log",
        Ailment::StorageFull => "disk full",
        Ailment::ClockBehind => "clock far behind",
        Ailment::LogTorn => "log lost its end, catching up",
        Ailment::Stopping => "stopping",
        Ailment::Leaving => "being removed",
        Ailment::Other => "unwell (a newer version of ward says more)",
    };
    words.to_owned()
}

/// The cluster as a whole, a line: how many may fail, and who is why not more.
pub(super) fn summary<'a>(
    health: Option<&ClusterHealth>,
    nodes: impl Iterator<Item = (String, &'a State)>,
) -> String {
    let Some(health) = health else {
        return String::new();
    };
    if health.told_by.is_none() {
        return "not healthy: no leader answers; no voter may fail\n".to_owned();
    }
    let ill = nodes.filter(|(_, state)| matches!(state, State::Ill(_)));
    let ill: Vec<_> = ill.map(|(name, state)| format!("{name} {state}")).collect();
    let may_fail = match health.failure_tolerance {
        0 => "no voter may fail".to_owned(),
        1 => "1 voter may fail".to_owned(),
        more => format!("{more} voters may fail"),
    };
    match health.healthy {
        true => format!("healthy; {may_fail}\n"),
        false => format!("not healthy: {}; {may_fail}\n", ill.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use kms_client::identity::NodeId;
    use kms_client::model::NodeRole;

    use super::*;

    fn node(voter: bool, ailments: &[Ailment], steady_ms: Option<u64>) -> NodeStatus {
        NodeStatus {
            id: NodeId(2),
            api_address: String::new(),
            role: NodeRole::Follower,
            sealed: false,
            applied_index: 0,
            pid: None,
            join_address: String::new(),
            voter,
            ailments: ailments.to_vec(),
            last_contact: Some(Duration::from_millis(12_900)),
            lag_entries: None,
            steady: steady_ms.map(Duration::from_millis),
            format_known: None,
        }
    }

    fn health(healthy: bool, failure_tolerance: u32, told_by: Option<NodeId>) -> ClusterHealth {
        ClusterHealth {
            healthy,
            failure_tolerance,
            steady_needed: Duration::from_secs(5),
            told_by,
        }
    }

    #[test]
    fn a_node_is_told_of_in_words() {
        let check = |node: &NodeStatus, expected: &str| {
            let state = State::of(node, Some(&health(true, 1, Some(NodeId(1)))));
            assert_eq!(state.to_string(), expected);
        };
        check(&node(true, &[], Some(60_000)), "healthy");
        check(&node(false, &[], None), "catching up");
        check(&node(false, &[], Some(3_999)), "steady for 3 of 5 s");
        check(
            &node(true, &[Ailment::Silent, Ailment::Sealed], None),
            "not heard by the leader for 12 s, sealed",
        );
    }

    #[test]
    fn the_whole_says_how_many_may_fail_and_who_is_ill() {
        let state = |ailments: &[Ailment]| State::of(&node(true, ailments, None), None);
        let states = [state(&[]), state(&[Ailment::Unreachable])];
        let names = ["node-1", "node-2"].map(str::to_owned);
        let told = |health: &ClusterHealth| {
            let nodes = names.iter().cloned().zip(&states);
            summary(Some(health), nodes)
        };
        let by = Some(NodeId(1));
        assert_eq!(told(&health(true, 2, by)), "healthy; 2 voters may fail\n");
        assert_eq!(
            told(&health(false, 0, by)),
            "not healthy: node-2 does not answer; no voter may fail\n"
        );
        assert!(told(&health(false, 0, None)).contains("no leader answers"));
    }
}
