//! Ending: stop Raft, leave everything on disk.

use std::sync::{PoisonError, Weak};
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use openraft::errors::Fatal;

use super::limits::CLOSE_PATIENCE;
use super::{Replica, StopError};
use crate::raft::{Floor, LogShared, RaftHandle, TypeConfig};

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

    /// Stands for election no longer and takes no leadership over: the node is about to stop.
    pub fn retire(&self) {
        self.inner.candidacy.retire();
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
