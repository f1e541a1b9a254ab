//! Stopping in order: accept nothing more, let what runs end by itself until a deadline, then
//! force it. `run` holds the trigger, every loop a watcher, every flow a guard.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};

/// Starts the drain.
#[derive(Debug)]
pub struct Trigger {
    start: watch::Sender<bool>,
    work: Arc<Work>,
}

/// Learns of the drain.
#[derive(Clone, Debug)]
pub struct Watcher {
    started: watch::Receiver<bool>,
    work: Arc<Work>,
}

/// Something the drain waits for, while it lives.
#[derive(Debug)]
pub struct Guard(Arc<Work>);

#[derive(Debug, Default)]
struct Work {
    running: AtomicUsize,
    less: Notify,
}

/// A drain's two ends.
pub fn new() -> (Trigger, Watcher) {
    let (start, started) = watch::channel(false);
    let work = Arc::<Work>::default();
    (
        Trigger {
            start,
            work: Arc::clone(&work),
        },
        Watcher { started, work },
    )
}

impl Trigger {
    /// Tells everyone, then waits until nothing runs any more or the time is over. Says how many
    /// were still running.
    pub async fn drain(self, deadline: Duration) -> usize {
        self.start.send_replace(true);
        let done = async {
            loop {
                let less = self.work.less.notified();
                if self.work.running.load(Ordering::Acquire) == 0 {
                    return;
                }
                less.await;
            }
        };
        match tokio::time::timeout(deadline, done).await {
            Ok(()) => 0,
            Err(_) => self.work.running.load(Ordering::Acquire),
        }
    }
}

impl Watcher {
    /// Returns when the drain starts, or has started.
    pub async fn draining(&self) {
        let mut started = self.started.clone();
        // A trigger that is gone has nobody left to stop us: the process is ending.
        if started.wait_for(|&started| started).await.is_err() {
            tracing::debug!("the drain's trigger is gone");
        }
    }

    /// Whether the drain has started.
    pub fn is_draining(&self) -> bool {
        *self.started.borrow()
    }

    /// Makes the drain wait for something.
    pub fn guard(&self) -> Guard {
        self.work.running.fetch_add(1, Ordering::AcqRel);
        Guard(Arc::clone(&self.work))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.0.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            // One waiter at most; a permit is kept for it if it is not waiting yet.
            self.0.less.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_waits_for_what_runs() {
        let (trigger, watcher) = new();
        let guard = watcher.guard();
        let drained = tokio::join!(trigger.drain(Duration::from_secs(30)), async {
            watcher.draining().await;
            drop(guard);
        });
        assert_eq!(drained.0, 0);
    }

    #[tokio::test]
    async fn it_does_not_wait_for_ever() {
        let (trigger, watcher) = new();
        let _guards = [watcher.guard(), watcher.guard()];
        assert_eq!(trigger.drain(Duration::from_millis(1)).await, 2);
    }
}
