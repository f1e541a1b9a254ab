//! The tokio runtime of a command.

use std::future::Future;

use crate::error::{Failure, Reason};

/// Runs `work` on a runtime of this thread: a command-line verb waits for the KMS, it does not
/// compute, and has nothing to gain from more threads.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    runtime(&mut tokio::runtime::Builder::new_current_thread())?.block_on(work)
}

/// Runs `work` on a runtime of as many threads as the machine has.
pub(crate) fn block_on_threads<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    runtime(&mut tokio::runtime::Builder::new_multi_thread())?.block_on(work)
}

fn runtime(builder: &mut tokio::runtime::Builder) -> Result<tokio::runtime::Runtime, Failure> {
    builder.enable_all().build().map_err(|error| {
        let sentence =
            format!("cannot start the runtime: {error}; check the limits of the process");
        Failure::new(Reason::INTERNAL, sentence)
    })
}
