//! Whether this node stands for election: three things may keep it from that, and only this file
//! tells Raft.
//!
//! A log that lost its end (`vigil`), a node that is about to stop, and one that is sealed. A
//! sealed node votes, but leads only when it must: three election timeouts without a leader mean
//! that perhaps nobody else holds the newest log. It then commits nothing but its blank entry and
//! hands over (docs/adr/0011).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::limits::{SEALED_INTERVAL, SEALED_PATIENCE};
use crate::raft::RaftHandle;

/// Whether this node stands for election, and why not.
#[derive(Clone, Debug)]
pub(super) struct Candidacy {
    raft: RaftHandle,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// The log may lack something acknowledged.
    torn: bool,
    sealed: bool,
    /// The node is about to stop.
    retired: bool,
    /// When a leader was heard last, or the node started.
    heard: Instant,
}

impl State {
    fn stands(&self) -> bool {
        !self.torn && !self.retired && (!self.sealed || self.heard.elapsed() >= SEALED_PATIENCE)
    }
}

impl Candidacy {
    /// Before Raft runs.
    pub(super) fn new(raft: RaftHandle, sealed: bool) -> Self {
        let state = State {
            torn: false,
            sealed,
            retired: false,
            heard: sys::clock::monotonic(),
        };
        let candidacy = Self {
            raft,
            state: Arc::new(Mutex::new(state)),
        };
        candidacy.change(|_| {});
        candidacy
    }

    /// Says whether the log may lack something.
    pub(super) fn set_torn(&self, torn: bool) {
        self.change(|state| state.torn = torn);
    }

    /// Says whether the node lacks the root key.
    pub(super) fn set_sealed(&self, sealed: bool) {
        self.change(|state| state.sealed = sealed);
    }

    /// Whether the node lacks the root key.
    pub(super) fn is_sealed(&self) -> bool {
        self.state().sealed
    }

    /// Says that the node is about to stop.
    pub(super) fn retire(&self) {
        self.change(|state| state.retired = true);
    }

    /// Whether the node is about to stop.
    pub(super) fn is_retired(&self) -> bool {
        self.state().retired
    }

    /// Notes that a leader was heard.
    pub(super) fn heard(&self) {
        self.change(|state| state.heard = sys::clock::monotonic());
    }

    /// For how long no leader was heard.
    pub(super) fn silence(&self) -> Duration {
        self.state().heard.elapsed()
    }

    /// Lets a sealed node stand once the silence is long enough; until it is aborted.
    pub(super) async fn run(self) {
        loop {
            tokio::time::sleep(SEALED_INTERVAL).await;
            self.change(|_| {});
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        change(&mut state);
        // Under the lock, so that the last word is the newest.
        self.raft.runtime_config().elect(state.stands());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is of one field.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
