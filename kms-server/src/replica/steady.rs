//! Since when each member has kept up with this leader without a break.
//!
//! A learner becomes a voter once it has done so for a while: a vote raises the number that must
//! answer, and a node that comes and goes would cost the others their quorum.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::limits::{LAG_ENTRIES_MAX, LAG_TIME_MAX, LOOK_BACK_INTERVAL};
use crate::state::NodeId;

/// What the leader knows of a member at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) node: NodeId,
    /// Whether a heartbeat of the last moments was answered.
    pub(super) answers: bool,
    /// How far its log matches the leader's.
    pub(super) matched: Option<u64>,
}

/// The breaks that a leader has seen so far; empty on a node that does not lead.
#[derive(Debug, Default)]
pub(super) struct Steady {
    since: BTreeMap<NodeId, Instant>,
    /// Where the log ended at times of the last moments, the newest last.
    ends: VecDeque<(Instant, u64)>,
}

impl Steady {
    /// Looks at all members while the leader's log ends at `last`.
    pub(super) fn look(&mut self, now: Instant, last: u64, members: &[Progress]) {
        let behind_us = self.end_of_old(now);
        self.note_end(now, last);
        let keeps_up = |member: &&Progress| {
            // Under load a follower always lacks the newest entries; what matters is that it lacks
            // none of those that are a moment old.
            let enough = last.saturating_sub(LAG_ENTRIES_MAX);
            let enough = behind_us.map_or(enough, |old| old.min(enough));
            member.answers && member.matched.is_some_and(|matched| matched >= enough)
        };
        let keep_up = members.iter().filter(keeps_up);
        self.since = keep_up
            .map(|member| {
                let since = self.since.get(&member.node).copied().unwrap_or(now);
                (member.node, since)
            })
            .collect();
    }

    /// For how long this member has kept up; none when it did not at the last look.
    pub(super) fn of(&self, node: NodeId, now: Instant) -> Option<Duration> {
        let since = self.since.get(&node)?;
        Some(now.saturating_duration_since(*since))
    }

    /// Where the log ended a moment ago; none when that is not known.
    fn end_of_old(&self, now: Instant) -> Option<u64> {
        let old = |at: &Instant| now.saturating_duration_since(*at) >= LAG_TIME_MAX;
        let mut ends = self.ends.iter().rev();
        ends.find(|(at, _)| old(at)).map(|(_, end)| *end)
    }

    /// Keeps few: one an interval, and of the old ones the newest.
    fn note_end(&mut self, now: Instant, last: u64) {
        let age = |at: Instant| now.saturating_duration_since(at);
        while self
            .ends
            .get(1)
            .is_some_and(|(at, _)| age(*at) >= LAG_TIME_MAX)
        {
            self.ends.pop_front();
        }
        let newest = self.ends.back();
        if newest.is_none_or(|(at, _)| age(*at) >= LOOK_BACK_INTERVAL) {
            self.ends.push_back((now, last));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: NodeId = NodeId(4);

    fn progress(answers: bool, matched: u64) -> [Progress; 1] {
        [Progress {
            node: NODE,
            answers,
            matched: Some(matched),
        }]
    }

    /// Looks every 100 ms at what `at` says of that moment: the log's end and the member.
    fn steady_after(
        millis: u64,
        at: impl Fn(u64) -> (u64, [Progress; 1]),
    ) -> (Option<Duration>, Steady) {
        let begun = sys::clock::monotonic();
        let mut steady = Steady::default();
        let mut now = begun;
        for ms in (0..=millis).step_by(100) {
            now = begun + Duration::from_millis(ms);
            let (last, members) = at(ms);
            steady.look(now, last, &members);
        }
        (steady.of(NODE, now), steady)
    }

    #[test]
    fn who_keeps_up_is_steady_from_the_first_look_on() {
        let (steady, _) = steady_after(3_000, |_| (100, progress(true, 100)));
        assert_eq!(steady, Some(Duration::from_secs(3)));
        let (steady, _) = steady_after(3_000, |_| (100, progress(true, 100 - LAG_ENTRIES_MAX)));
        assert_eq!(steady, Some(Duration::from_secs(3)));
    }

    #[test]
    fn who_lacks_old_entries_does_not_answer_or_holds_nothing_is_not() {
        let (behind, _) = steady_after(3_000, |_| (100, progress(true, 99 - LAG_ENTRIES_MAX)));
        assert_eq!(behind, None);
        let (silent, _) = steady_after(3_000, |_| (100, progress(false, 100)));
        assert_eq!(silent, None);
        let nothing = Progress {
            node: NODE,
            answers: true,
            matched: None,
        };
        assert_eq!(steady_after(3_000, |_| (0, [nothing])).0, None);
    }

    // Mutation: a clock that is not set back by a break counts a flapping node as steady.
    #[test]
    fn a_break_begins_the_time_anew() {
        let (steady, _) = steady_after(3_000, |ms| (100, progress(ms != 2_000, 100)));
        assert_eq!(steady, Some(Duration::from_millis(900)));
    }

    // Mutation: a bound in entries alone never lets a node vote under this load.
    #[test]
    fn under_load_a_moment_behind_is_kept_up_and_longer_is_not() {
        let end = |ms: u64| 10_000 + ms * 5;
        let (steady, kept) = steady_after(6_000, |ms| (end(ms), progress(true, end(ms) - 1_000)));
        assert!(steady >= Some(Duration::from_secs(4)), "{steady:?}");
        let few = LAG_TIME_MAX.as_millis() / LOOK_BACK_INTERVAL.as_millis() + 3;
        assert!(kept.ends.len() as u128 <= few, "{}", kept.ends.len());
        let (behind, _) = steady_after(6_000, |ms| (end(ms), progress(true, end(ms) - 6_000)));
        assert_eq!(behind, None);
    }
}
