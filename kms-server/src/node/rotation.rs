//! Rotates keys by period, while this node leads. One of the node's chores.
//!
//! ```text
//! the index of what is due, by this clock ─▶ and by most voters' clocks ─▶ a few keys a look
//! ```
//! One clock that is wrong rotates nothing before its time: the leader's own only says when to ask
//! the others. After a long pause everything is due at once; it is done a few at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use envelope::id::KeyId;
use futures::future::join_all;
use tokio::time::MissedTickBehavior;

use crate::api::keys::rotate_due::{Due, rotate_due};
use crate::node::context::Node;
use crate::raft::peer::Fitness;

/// Looks once a second until the node drains.
pub(super) async fn rotate_by_period(node: &Arc<Node>) {
    let mut tick = tokio::time::interval(INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed = Failed::default();
    loop {
        tokio::select! {
            () = node.draining.cancelled() => return,
            _ = tick.tick() => {}
        }
        let able = node.leads() && node.fitness() >= Fitness::ClockBehind;
        let overdue = match able {
            true => look(node, &mut failed).await,
            false => 0,
        };
        metrics::gauge!("ward_key_rotations_overdue").set(f64::from(overdue));
    }
}

/// Rotates a few of the keys that are due; answers how many are still, as far as it counted.
async fn look(node: &Arc<Node>, failed: &mut Failed) -> u32 {
    if due(node, sys::clock::wall_ms()).is_empty() {
        failed.0.clear();
        return 0;
    }
    let Some(now_ms) = agreed_ms(node).await else {
        tracing::debug!("too few clocks to rotate keys by");
        return 0;
    };
    let due = due(node, now_ms);
    failed
        .0
        .retain(|key_id, _| due.iter().any(|due| due.key_id == *key_id));
    let mut overdue = u32::try_from(due.len()).unwrap_or(u32::MAX);
    let now = sys::clock::monotonic();
    let ready = due.into_iter();
    let ready = ready.filter(|due| failed.may_try(&due.key_id, now));
    let ready: Vec<_> = ready.take(ROTATIONS_MAX).collect();
    for due in ready {
        let own = Arc::clone(node);
        let write = async move { rotate_due(&own, due, now_ms).await };
        match node.writes.carry("rotate-due", write).await {
            Ok(rotated) => {
                overdue -= 1;
                if rotated {
                    tracing::info!(key_id = %due.key_id, "a key was rotated by its period");
                    count("rotated");
                }
            }
            Err(error) => {
                let key_id = due.key_id;
                tracing::warn!(%key_id, %error, "a key is not rotated by its period yet");
                count("failed");
                failed.note(key_id, sys::clock::monotonic());
                // It may be no matter of this key: the next one waits for the next look.
                break;
            }
        }
    }
    overdue
}

/// What is due at `now_ms`, the longest due first, as far as one look counts.
fn due(node: &Node, now_ms: u64) -> Vec<Due> {
    node.replica.read(|index| {
        let due = index.rotations_due(now_ms).take(LOOK_MAX);
        due.map(|(due_ms, key_id)| Due { due_ms, key_id }).collect()
    })
}

/// What most voters' wall clocks say; none where fewer than most of them answer.
async fn agreed_ms(node: &Node) -> Option<u64> {
    let members = node.replica.status().members;
    let voters: Vec<_> = members.into_iter().filter(|member| member.voter).collect();
    let asked = voters.iter().map(async |voter| match voter.node_id {
        own if own == node.id => Some(sys::clock::wall_ms()),
        other => node.peers.wall_ms(other, &voter.member).await,
    });
    let told = join_all(asked).await.into_iter().flatten().collect();
    agreed(told, voters.len())
}

/// The clock in the middle, or below it where two are: what is rotated a little late does no harm.
fn agreed(mut told: Vec<u64>, voters: usize) -> Option<u64> {
    told.sort_unstable();
    let middle = told.len().checked_sub(1)? / 2;
    (told.len() > voters / 2).then(|| told[middle])
}

/// Keys whose rotation failed, and when each may be tried again: less and less often. Only of what
/// is due, so no more than one look counts.
#[derive(Default)]
struct Failed(BTreeMap<KeyId, (Instant, Duration)>);

impl Failed {
    fn may_try(&self, key_id: &KeyId, now: Instant) -> bool {
        self.0.get(key_id).is_none_or(|(again, _)| *again <= now)
    }

    fn note(&mut self, key_id: KeyId, now: Instant) {
        let former = self.0.get(&key_id).map(|(_, pause)| *pause);
        let pause = former.map_or(PAUSE, |pause| (pause * 2).min(PAUSE_MAX));
        self.0.insert(key_id, (now + pause, pause));
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("ward_key_rotations_total", "outcome" => outcome).increment(1);
}

const INTERVAL: Duration = Duration::from_secs(1);
/// How many keys one look rotates at most.
const ROTATIONS_MAX: usize = 10;
/// How many that are due one look counts.
const LOOK_MAX: usize = 1_000;
/// How long a key whose rotation failed is left alone, the first time and at most.
const PAUSE: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_000_000_000;
    const YEAR: u64 = 365 * 24 * 60 * 60 * 1_000;

    // Mutation: the greatest of them, as the state's clock is, and one node rotates everything.
    #[test]
    fn one_wrong_clock_of_three_moves_nothing() {
        for wrong in [NOW + YEAR, 0] {
            let told = agreed(vec![NOW, wrong, NOW + 7], 3).unwrap();
            assert!((NOW..=NOW + 7).contains(&told), "{wrong}");
        }
        // Of two, nobody knows which is wrong: what is later is not believed.
        assert_eq!(agreed(vec![NOW + YEAR, NOW], 3), Some(NOW));
        assert_eq!(agreed(vec![NOW + YEAR, NOW], 2), Some(NOW));
        assert_eq!(agreed(vec![NOW], 1), Some(NOW));
    }

    #[test]
    fn fewer_than_most_voters_agree_on_nothing() {
        assert_eq!(agreed(vec![NOW], 2), None);
        assert_eq!(agreed(vec![NOW], 3), None);
        assert_eq!(agreed(vec![NOW, NOW], 4), None);
        assert_eq!(agreed(Vec::new(), 0), None);
    }

    #[test]
    fn what_failed_is_tried_less_and_less_often_and_keeps_nobody_else_waiting() {
        let (mut failed, began) = (Failed::default(), sys::clock::monotonic());
        let [bad, good] = [[1; 16], [2; 16]].map(KeyId::from_bytes);
        let mut now = began;
        for pause_s in [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600] {
            failed.note(bad, now);
            now += Duration::from_secs(pause_s);
            let just_before = now - Duration::from_millis(1);
            assert!(!failed.may_try(&bad, just_before), "{pause_s}");
            assert!(failed.may_try(&bad, now), "{pause_s}");
            assert!(failed.may_try(&good, just_before));
        }
    }
}
