//! Moves the wrapped data keys of a core gateway's archive to newer versions of their keys, and
//! tells the KMS what lies under which version (ADR 0027). A thread of its own: it waits for disk
//! and network, and nothing of a device waits for it.
//!
//! ```text
//!   side-cars ──▶ shelf: what lies where ──▶ teller ──▶ KMS: census, progress
//!       ▲                                                │ jobs
//!       └── replace: write, sync, open once, rename ◀── work: a pass over the side-cars
//! ```
//!
//! It writes side-cars of segments alone that the archive's thread has given up; what must be moved
//! in the segment that is still written waits for the next one. Nothing is remembered on disk: what
//! lies under the job's version is skipped, so a gateway that starts again goes on by itself.

mod job;
mod kms;
mod limits;
mod metrics;
mod replace;
mod shelf;
mod side_car;
mod step;
mod teller;
mod work;

#[cfg(test)]
mod tests;

use std::io;
use std::thread::JoinHandle;

use tokio::sync::watch;

use crate::archive::Segments;

pub use kms::{Asking, Kms};
use work::Work;

/// The running thread. It must be stopped before the archive is: it writes in the same folder.
pub struct Rewrapper {
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Rewrapper {
    /// Starts the thread. Without an archive it only tells that nothing lies here.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start<K: Kms + 'static>(
        segments: Option<Segments>,
        kms: impl FnOnce(watch::Receiver<bool>) -> K,
    ) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let work = Work::new(segments, kms(stopped));
        let builder = std::thread::Builder::new().name("ward-rewrap".into());
        let thread = builder.spawn(move || work.run())?;
        Ok(Self { stop, thread })
    }

    /// Ends the thread and waits for it. A side-car that it was about to replace stays as it was.
    pub fn stop(self) {
        self.stop.send_replace(true);
        if self.thread.join().is_err() {
            tracing::error!("the thread that rewraps panicked; its jobs go on at the next start");
        }
    }
}
