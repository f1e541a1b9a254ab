//! Ending: hand over, stop Raft, leave everything on disk.

use std::sync::{PoisonError, Weak};
use std::time::Duration;

use openraft::RaftMetrics;
use openraft::async_runtime::WatchReceiver;
use openraft::errors::Fatal;

use super::limits::{CLOSE_PATIENCE, HAND_OVER_TIMEOUT};
use super::{Replica, StopError};
use crate::raft::{Floor, LogShared, RaftHandle, TypeConfig};
use crate::state::NodeId;

impl Replica {
    /// Waits until Raft has ended, and says why: whoever runs the node watches this, because a
    /// Raft that ended over its storage leaves everything else running.
    pub async fn stopped(&self) -> StopError {
        let mut metrics = self.inner.raft.metrics();
        loop {
            if let Err(fatal) = &metrics.borrow_watched().running_state {
                return self.explain_stop(fatal);
            }
            // The sender goes with Raft's own task, also when that panicked.
            if metrics.changed().await.is_err() {
                let detail = "its task is gone".to_owned();
                return StopError::Raft { detail };
            }
        }
    }

    /// Hands leadership to another voter, if this node leads and there is one.
    pub async fn hand_over(&self) {
        if let Some(heir) = self.heirs().first() {
            self.hand_over_to(*heir).await;
        }
    }

    /// Hands leadership to this voter, if this node leads; gives up after a while.
    pub async fn hand_over_to(&self, heir: NodeId) {
        let own = self.inner.node_id;
        if self
            .inner
            .raft
            .trigger()
            .transfer_leader(heir)
            .await
            .is_err()
        {
            return;
        }
        let mut metrics = self.inner.raft.metrics();
        let handed_over = async {
            while metrics.borrow_watched().current_leader == Some(own) {
                if metrics.changed().await.is_err() {
                    return;
                }
            }
        };
        if tokio::time::timeout(HAND_OVER_TIMEOUT, handed_over)
            .await
            .is_err()
        {
            tracing::warn!(%heir, "leadership was not taken over in time");
        }
    }

    /// Stops taking part, with everything on disk. The directory can be opened again once every
    /// handle is gone.
    pub async fn shutdown(&self) {
        let tasks = {
            let mut tasks = self
                .inner
                .tasks
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        for task in &tasks {
            task.abort();
        }
        // Whatever waits for room on the disk waits no longer.
        self.inner.core.close();
        let reached = self
            .inner
            .log
            .upgrade()
            .and_then(|log| log.durable_committed());
        if let Err(error) = self.inner.raft.shutdown().await {
            tracing::warn!(%error, "raft ended with an error");
        }
        let inner = self.inner.clone();
        let closed = tokio::task::spawn_blocking(move || {
            if let Err(error) = inner.core.flush() {
                tracing::warn!(%error, "the applied state is not flushed; it will be rebuilt");
            }
            raise(&inner.floor, reached);
        });
        if closed.await.is_err() {
            tracing::warn!("closing ended early");
        }
        self.wait_for_the_log().await;
    }

    fn explain_stop(&self, fatal: &Fatal<TypeConfig>) -> StopError {
        let detail = fatal.to_string();
        if let Some(found) = self.inner.core.found_newer_format() {
            let known = self.inner.core.format_known();
            return StopError::Newer { found, known };
        }
        match fatal {
            Fatal::StorageError(_) if self.inner.core.found_disk_full() => {
                StopError::Full { detail }
            }
            Fatal::StorageError(_) => StopError::Storage { detail },
            Fatal::Panicked | Fatal::Stopped => StopError::Raft { detail },
        }
    }

    /// The log closes when its thread and its readers have ended.
    async fn wait_for_the_log(&self) {
        let deadline = sys::clock::monotonic() + CLOSE_PATIENCE;
        while self.inner.log.strong_count() > 0 && sys::clock::monotonic() < deadline {
            tokio::time::sleep(POLL).await;
        }
    }

    /// The other voters, those that hold the most of the log first; none unless this node leads.
    pub fn heirs(&self) -> Vec<NodeId> {
        let metrics = self.inner.raft.metrics().borrow_watched().clone();
        longest_logs(&metrics, self.inner.node_id)
    }
}

/// The voters but this leader, those that hold the most of the log first.
pub(super) fn longest_logs(metrics: &RaftMetrics<TypeConfig>, own: NodeId) -> Vec<NodeId> {
    let Some(replication) = &metrics.replication else {
        return Vec::new();
    };
    let voters = metrics.membership_config.membership().voter_ids();
    let mut heirs: Vec<_> = voters
        .filter(|voter| *voter != own)
        .filter_map(|voter| Some((replication.get(&voter)?.as_ref()?.index, voter)))
        .collect();
    heirs.sort_unstable_by(|one, other| other.cmp(one));
    heirs.into_iter().map(|(_, voter)| voter).collect()
}

const POLL: Duration = Duration::from_millis(5);

/// Raises the floor whenever a snapshot is taken; until it is aborted.
pub(super) async fn raise_with_snapshots(raft: RaftHandle, log: Weak<LogShared>, floor: Floor) {
    let mut metrics = raft.metrics();
    let mut snapshot = None;
    loop {
        let newest = metrics.borrow_watched().snapshot;
        if newest != snapshot {
            snapshot = newest;
            let reached = log.upgrade().and_then(|log| log.durable_committed());
            let floor = floor.clone();
            let raising = tokio::task::spawn_blocking(move || raise(&floor, reached));
            drop(raising.await);
        }
        if metrics.changed().await.is_err() {
            return;
        }
    }
}

fn raise(floor: &Floor, reached: Option<u64>) {
    let Some(index) = reached else {
        return;
    };
    if let Err(error) = floor.raise(index) {
        tracing::warn!(%error, "cannot record how far the log reaches");
    }
}
