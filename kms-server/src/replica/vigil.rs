//! A node whose log lost its end holds back until it has caught up (docs/adr/0010-vigil.md).
//!
//! What it lost may have been acknowledged: a flipped bit looks like a torn write. A vote given
//! with less than was acknowledged could elect a leader without it. So the node votes for nobody
//! and does not stand, until a leader has brought it up to date.
//!
//! After a power cut of all nodes every log may end in a torn write, and nobody would ever lead.
//! Therefore the node asks the other voters how far their logs go. Once all have told, it votes,
//! and stands, for no less than the longest of these logs: whatever was acknowledged and is left
//! anywhere is in that one. The mark on disk stays until the node has caught up all the same.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use openraft::alias::LogIdOf;
use openraft::async_runtime::WatchReceiver;
use openraft::{RaftMetrics, ServerState};

use super::candidacy::Candidacy;
use super::limits::{VIGIL_INTERVAL, VIGIL_PATIENCE};
use crate::raft::network::{Peers, last_log_of};
use crate::raft::{LogShared, RaftHandle, Torn, TypeConfig};
use crate::state::NodeId;

type LogId = LogIdOf<TypeConfig>;

/// Whether this node holds back, and from whom.
#[derive(Clone, Debug)]
pub(super) struct Vigil {
    over: Arc<AtomicBool>,
    /// The least log this node votes for meanwhile; none until the others have told of theirs.
    at_least: Arc<Mutex<Option<Option<LogId>>>>,
    candidacy: Candidacy,
}

/// What a vigil needs to end.
pub(super) struct Watch {
    own_id: NodeId,
    raft: RaftHandle,
    peers: Arc<Peers>,
    log: Weak<LogShared>,
    torn: Torn,
}

impl Vigil {
    /// Begins a vigil if the log lost its end. Before Raft runs.
    pub(super) fn new(tail_dropped: bool, candidacy: Candidacy) -> Self {
        if tail_dropped {
            tracing::warn!("the end of the log was not whole and was dropped; not voting for now");
            candidacy.set_torn(true);
        }
        Self {
            over: Arc::new(AtomicBool::new(!tail_dropped)),
            at_least: Arc::default(),
            candidacy,
        }
    }

    /// Whether this node votes as any other does.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Whether this node votes for who has this log.
    pub(super) fn may_vote_for(&self, last: Option<&LogId>) -> bool {
        let at_least = *self.at_least();
        self.is_over() || at_least.is_some_and(|at_least| last >= at_least.as_ref())
    }

    /// Waits for the end of the vigil.
    pub(super) async fn run(self, watch: Watch) {
        if self.is_over() {
            return;
        }
        let began = sys::clock::monotonic();
        let mut metrics = watch.raft.metrics();
        loop {
            let now = metrics.borrow_watched().clone();
            let Some(log) = watch.log.upgrade() else {
                return;
            };
            if has_caught_up(&now, &log) {
                break;
            }
            let own = log.last();
            drop(log);
            let patient = began.elapsed() < VIGIL_PATIENCE;
            // Not only while no leader is known: the one that the vote names may be long gone.
            if let Some(longest) = watch.longest(&now, own, patient).await {
                self.vote_from(longest, own);
            }
            // Metrics change, and the log reaches the disk: either may be what is waited for.
            let changed = tokio::time::timeout(VIGIL_INTERVAL, metrics.changed()).await;
            if matches!(changed, Ok(Err(_))) {
                return;
            }
        }
        let torn = watch.torn.clone();
        let cleared = tokio::task::spawn_blocking(move || torn.clear()).await;
        if !matches!(cleared, Ok(Ok(()))) {
            tracing::warn!("the mark of the torn log stays; the next start holds back again");
        }
        tracing::info!("the log has caught up; voting as ever");
        self.over.store(true, Ordering::Release);
        self.candidacy.set_torn(false);
    }

    fn vote_from(&self, longest: Option<LogId>, own: Option<LogId>) {
        let raised = {
            let mut at_least = self.at_least();
            let raised = at_least.flatten().max(longest);
            if at_least.replace(raised) != Some(raised) {
                tracing::warn!(?raised, "voting for no less than this log");
            }
            raised
        };
        self.candidacy.set_torn(own < raised);
    }

    fn at_least(&self) -> MutexGuard<'_, Option<Option<LogId>>> {
        // Replaced in one step.
        self.at_least.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    pub(super) fn new(
        own_id: NodeId,
        raft: &RaftHandle,
        peers: &Arc<Peers>,
        log: &Weak<LogShared>,
        torn: Torn,
    ) -> Self {
        Self {
            own_id,
            raft: raft.clone(),
            peers: peers.clone(),
            log: log.clone(),
            torn,
        }
    }

    /// The longest log among the voters; none as long as one of them, while there is patience,
    /// does not tell.
    async fn longest(
        &self,
        now: &RaftMetrics<TypeConfig>,
        own: Option<LogId>,
        patient: bool,
    ) -> Option<Option<LogId>> {
        if now.state == ServerState::Learner {
            return None;
        }
        let membership = now.membership_config.membership();
        let others: Vec<_> = membership
            .voter_ids()
            .filter(|voter| *voter != self.own_id)
            .filter_map(|voter| Some((voter, membership.get_node(&voter)?.clone())))
            .collect();
        let asking = others.iter().map(|(voter, member)| {
            self.peers.note(*voter, member);
            last_log_of(&self.peers, *voter, now.vote, own)
        });
        let told = futures::future::join_all(asking).await;
        if patient && told.iter().any(Option::is_none) {
            return None;
        }
        told.into_iter().flatten().chain([own]).max()
    }
}

/// Whether this node holds, on disk, all that was committed when its leader began, and what that
/// leader has committed since. An entry of its own term alone says that the leader knows.
fn has_caught_up(now: &RaftMetrics<TypeConfig>, log: &LogShared) -> bool {
    let Some(committed) = now.cluster_committed else {
        return false;
    };
    now.current_leader.is_some()
        && committed.leader_id.term == now.current_term
        && now.last_applied >= Some(committed)
        && log.durable_last() >= Some(committed.index)
}
