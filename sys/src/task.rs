//! Named tasks. Every task of Ward starts here and has an owner that holds its handle.

use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tracing::Instrument;

/// Starts `future` on the current runtime; its log lines carry `name`.
///
/// The caller owns the handle: it awaits it, aborts it, or keeps it until shutdown.
///
/// # Panics
///
/// Outside a tokio runtime.
#[track_caller]
#[expect(clippy::disallowed_methods, reason = "the one home of spawning")]
pub fn spawn<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(future.instrument(tracing::info_span!("task", name)))
}

/// Starts `future` on the runtime that `runtime` names, from any thread.
pub fn spawn_on<F>(runtime: &Handle, name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    runtime.spawn(future.instrument(tracing::info_span!("task", name)))
}

/// Starts `future` on the current thread's `LocalSet` or local runtime.
///
/// # Panics
///
/// Outside a `LocalSet` or local runtime.
#[track_caller]
pub fn spawn_local<F>(name: &'static str, future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    tokio::task::spawn_local(future.instrument(tracing::info_span!("task", name)))
}

/// Aborts its task when dropped, so that no task outlives its owner.
#[derive(Debug)]
pub struct AbortOnDrop<T>(pub JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_answers_its_owner() {
        assert_eq!(spawn("answer", async { 42 }).await.unwrap(), 42);
    }

    #[tokio::test]
    async fn a_task_is_started_from_a_thread_without_a_runtime() {
        let runtime = Handle::current();
        let thread = std::thread::spawn(move || spawn_on(&runtime, "answer", async { 42 }));
        assert_eq!(thread.join().unwrap().await.unwrap(), 42);
    }

    #[tokio::test]
    async fn a_local_task_may_hold_what_is_not_send() {
        let local = tokio::task::LocalSet::new();
        let value = std::rc::Rc::new(7);
        let answer = local.run_until(async { spawn_local("local", async move { *value }).await });
        assert_eq!(answer.await.unwrap(), 7);
    }

    #[tokio::test]
    async fn dropping_the_owner_ends_the_task() {
        let (alive, ended) = tokio::sync::oneshot::channel::<()>();
        let task = spawn("endless", async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        });
        drop(AbortOnDrop(task));
        assert!(
            ended.await.is_err(),
            "the task's sender must have been dropped with it"
        );
    }
}
