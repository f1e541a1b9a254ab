//! A node whose log lost its end neither votes nor stands until it has caught up.
//!
//! What it lost may have been acknowledged (a flipped bit looks like a torn write), and a vote
//! given with less than it acknowledged could elect a leader without it. After a power cut of the
//! whole cluster every node may be in this state, so the vigil ends by itself after a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use openraft::async_runtime::WatchReceiver;

use super::limits::CATCH_UP_PATIENCE;
use crate::raft::RaftHandle;

/// Whether this node holds back.
#[derive(Clone, Debug)]
pub(super) struct Vigil {
    over: Arc<AtomicBool>,
}

impl Vigil {
    /// Begins a vigil if the log lost its end. Before Raft runs.
    pub(super) fn new(tail_dropped: bool, raft: &RaftHandle) -> Self {
        if tail_dropped {
            tracing::warn!("the end of the log was not whole and was dropped; not voting for now");
            raft.runtime_config().elect(false);
        }
        Self {
            over: Arc::new(AtomicBool::new(!tail_dropped)),
        }
    }

    /// Whether this node votes.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Waits for the end of the vigil.
    pub(super) async fn run(self, raft: RaftHandle) {
        if self.is_over() {
            return;
        }
        let caught_up = async {
            let mut metrics = raft.metrics();
            loop {
                let now = metrics.borrow_watched().clone();
                let committed = now.cluster_committed.map(|log_id| log_id.index);
                if now.current_leader.is_some()
                    && committed.is_some()
                    && now.last_log_index >= committed
                {
                    return;
                }
                if metrics.changed().await.is_err() {
                    return;
                }
            }
        };
        match tokio::time::timeout(CATCH_UP_PATIENCE, caught_up).await {
            Ok(()) => tracing::info!("the log has caught up; voting again"),
            Err(_) => tracing::warn!("no leader has shown itself; voting with what is left"),
        }
        self.over.store(true, Ordering::Release);
        raft.runtime_config().elect(true);
    }
}
