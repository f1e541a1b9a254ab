//! The archive of a core gateway: a sealed copy of every payload, cut into objects.
//!
//! ```text
//! data threads            archive thread, one                                 disk
//! pump ─▶ tap ─▶ queue ─▶ lane: observer cuts, object seals ─▶ writer ─▶ segment, side-car
//!                bounded         │                               group commit: one fdatasync
//!                                └─ data key: leased ahead by a control task
//! ```
//!
//! Bytes are recorded after they were forwarded, and nothing here can hold traffic up: a full
//! queue, a full disk, or no data key becomes a recorded gap (`observe`, the only mode there is;
//! `durable` would hold the reply until [`Archive::flush`] answers).

mod flow;
mod keys;
mod lane;
mod leases;
mod limits;
mod metrics;
mod object;
mod open_gap;
mod queue;
mod recovery;
mod running;
mod segment;
mod segments;
mod sink;
mod worker;
mod writer;

#[cfg(test)]
pub(crate) mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::capture::CaptureSink;
use queue::{Inlet, Outlet, queue};
use segments::OpenFrom;
use sink::Sink;
use worker::Worker;
use writer::Writer;

pub use keys::{DataKeys, Lease, Leased};
pub use leases::LeasedKeys;
pub use segments::Segments;

/// Where and how to archive.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder; made when missing.
    pub dir: PathBuf,
    /// Most payload bytes that wait to be sealed.
    pub queue_bytes: usize,
    /// A segment that has grown beyond this is followed by another.
    pub segment_bytes: u64,
    /// A segment older than this is followed by another.
    pub segment_age: Duration,
    /// How long to wait at the end for a disk that takes nothing.
    pub stop_patience: Duration,
}

impl Settings {
    /// The settings of every gateway, for an archive in `dir`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            queue_bytes: limits::QUEUE_BYTES_MAX,
            segment_bytes: limits::SEGMENT_BYTES,
            segment_age: limits::SEGMENT_AGE,
            stop_patience: limits::STOP_PATIENCE,
        }
    }
}

/// Why an archive cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody else writes into the folder.
    #[error("another gateway writes this archive: stop it, or name another folder")]
    Locked(#[source] io::Error),
    /// The system has no thread to give.
    #[error("cannot start the archive's thread")]
    Thread(#[source] io::Error),
}

/// A running archive. Stop it with [`stop`](Self::stop) after the last flow.
pub struct Archive {
    inlet: Arc<Inlet>,
    sink: Arc<Sink>,
    segments: Segments,
    thread: JoinHandle<()>,
}

impl Archive {
    /// Starts the archive's thread. A disk that is full or fails now does not keep a gateway from
    /// starting: it is tried again, and what cannot wait becomes a gap.
    ///
    /// # Errors
    ///
    /// When another process writes into the folder, or no thread can be had.
    pub fn start(settings: Settings, keys: Arc<dyn DataKeys>) -> Result<Self, StartError> {
        let lock = acquire(&settings)?;
        let (inlet, outlet) = queue(settings.queue_bytes);
        let inlet = Arc::new(inlet);
        let sink = Arc::new(Sink::new(inlet.clone(), keys.clone()));
        let open_from = OpenFrom::default();
        let segments = Segments {
            dir: settings.dir.clone(),
            open_from: open_from.clone(),
            inlet: inlet.clone(),
        };
        let body = move || {
            let _guard = EndsProcess;
            outlet.attach();
            run(lock, &settings, outlet, keys, open_from);
        };
        let builder = std::thread::Builder::new().name("ward-archive".into());
        let thread = builder.spawn(body).map_err(StartError::Thread)?;
        Ok(Self {
            inlet,
            sink,
            segments,
            thread,
        })
    }

    /// What the flow code hands its bytes to.
    #[must_use]
    pub fn sink(&self) -> Arc<dyn CaptureSink> {
        self.sink.clone()
    }

    /// Its segments, for who moves their data keys to newer versions.
    pub fn segments(&self) -> Segments {
        self.segments.clone()
    }

    /// Answers once everything that was recorded before is durable, except what waits for a data
    /// key; an error when the archive has stopped.
    pub fn flush(&self) -> oneshot::Receiver<()> {
        let (done, answer) = oneshot::channel();
        self.inlet.flush(done);
        answer
    }

    /// Writes what there is, ends the flows that are open, and waits for the thread. Blocks, at
    /// most for a moment beyond [`Settings::stop_patience`].
    pub fn stop(self) {
        self.inlet.stop();
        if self.thread.join().is_err() {
            tracing::error!("the archive's thread has ended; the next start records gaps");
        }
    }
}

/// Takes the folder's lock; `None` when the disk does not even allow that yet.
fn acquire(settings: &Settings) -> Result<Option<sys::file::Lock>, StartError> {
    let locked = sys::file::create_dirs(&settings.dir, 0o700)
        .and_then(|()| sys::file::Lock::acquire(&settings.dir.join(LOCK)));
    match locked {
        Ok(lock) => Ok(Some(lock)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(StartError::Locked(error)),
        Err(error) => {
            tracing::error!(%error, "the archive cannot be opened yet; traffic goes on");
            Ok(None)
        }
    }
}

/// Recovers, then works until the gateway stops.
fn run(
    mut lock: Option<sys::file::Lock>,
    settings: &Settings,
    outlet: Outlet,
    keys: Arc<dyn DataKeys>,
    open_from: OpenFrom,
) {
    while lock.is_none() && !outlet.stopping() {
        std::thread::park_timeout(limits::RETRY);
        lock = acquire(settings).ok().flatten();
    }
    let recovered = loop {
        let recovered = recovery::recover(&settings.dir).and_then(|recovered| {
            running::set(&settings.dir, sys::clock::wall_ms())?;
            Ok(recovered)
        });
        match recovered {
            Ok(recovered) => break recovered,
            Err(error) => tracing::error!(%error, "the archive cannot be recovered yet"),
        }
        if outlet.stopping() {
            return;
        }
        std::thread::park_timeout(limits::RETRY);
    };
    let Settings {
        dir,
        segment_bytes,
        segment_age,
        stop_patience,
        ..
    } = settings;
    let mut writer = Writer::new(dir, recovered.next_sequence, *segment_bytes, *segment_age);
    writer.tell(open_from);
    recovered.write(&mut writer, sys::clock::wall_ms());
    if Worker::new(outlet, writer, keys).run(*stop_patience)
        && let Err(error) = running::clear(dir)
    {
        tracing::error!(%error, "the stop is not marked as clean: the next start records a gap");
    }
}

/// Ends the process when the archive's thread panics: a gateway that forwards and archives nothing,
/// unseen, is worse than one that its supervisor starts again.
struct EndsProcess;

impl Drop for EndsProcess {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the archive's thread panicked: the gateway ends, to be started again");
            sys::log::flush();
            std::process::abort();
        }
    }
}

/// Keeps two gateways from writing into one folder.
const LOCK: &str = "lock";
