//! Carries a write through, from its decision to its audit record, whether or not its caller still
//! waits. Used by every handler that proposes.
//!
//! A request ends with its caller's patience: the deadline or a reset stream drops the handler
//! wherever it stands. A handler that has proposed must not be dropped before its record is
//! durable, else a caller could choose to leave no trace.

use std::sync::Arc;

use kms_client::reason::Reason;
use tokio::sync::Semaphore;

use crate::api::failure::Failure;
use crate::limits::WRITES_IN_FLIGHT_MAX;

/// The writes under way on this node; it owns their tasks until the node has drained.
pub(crate) struct Writes {
    places: Arc<Semaphore>,
}

impl Writes {
    /// Allows [`WRITES_IN_FLIGHT_MAX`] at once.
    pub(crate) fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(WRITES_IN_FLIGHT_MAX as usize)),
        }
    }

    /// Runs `write` to its end and answers what came of it. Dropping the answer's future stops
    /// only the waiting.
    ///
    /// # Errors
    /// OVERLOADED, or what the write failed with.
    pub(crate) async fn carry<T: Send + 'static>(
        &self,
        name: &'static str,
        write: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let message = "this node carries out as many writes as it may; try again";
            Failure::new(Reason::Overloaded, message)
        })?;
        let task = sys::task::spawn(name, async move {
            let done = write.await;
            drop(place);
            done
        });
        task.await
            .unwrap_or_else(|_| Err(Failure::internal("a write's task ended without an answer")))
    }

    /// Waits until no write is under way.
    pub(crate) async fn finished(&self) {
        // The places are never closed, so this can only wait.
        drop(self.places.acquire_many(WRITES_IN_FLIGHT_MAX).await);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_write_is_carried_through_when_its_caller_gives_up() {
        let (writes, recorded) = (Writes::new(), Arc::new(AtomicBool::new(false)));
        let (go_on, applied) = oneshot::channel::<()>();
        let record = Arc::clone(&recorded);
        let write = async move {
            applied.await.unwrap();
            record.store(true, Ordering::SeqCst);
            Ok(())
        };
        let carried = writes.carry("write", write);
        let given_up = tokio::time::timeout(Duration::from_millis(1), carried).await;
        assert!(given_up.is_err() && !recorded.load(Ordering::SeqCst));
        go_on.send(()).unwrap();
        writes.finished().await;
        assert!(recorded.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_failure_reaches_the_caller() {
        let failing = async { Err::<(), _>(Failure::invalid("wrong")) };
        let failed = Writes::new().carry("write", failing).await;
        assert_eq!(failed.unwrap_err().reason, Reason::InvalidArgument);
    }
}
