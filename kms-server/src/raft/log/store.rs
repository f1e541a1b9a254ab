//! openraft's log storage over the writer thread and the view.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use openraft::alias::{EntryOf, LogIdOf, VoteOf};
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};
use tokio::sync::{mpsc, oneshot};

use super::engine::{EngineError, LogEngine, StoredEntry};
use super::reader::LogReader;
use super::torn::Torn;
use super::view::View;
use super::writer::{self, BeforeFirst, Done, Job};
use crate::raft::TypeConfig;
use crate::replica::limits::LOG_QUEUE_JOBS_MAX;

/// The log, as openraft sees it.
pub(crate) struct LogStore {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
}

/// What the store, its readers and its writer share.
pub(crate) struct Shared {
    pub(super) engine: LogEngine,
    view: RwLock<View>,
    /// Whether the last write found the disk full.
    pub(super) full: AtomicBool,
    /// Whether expired files are being removed.
    removing: AtomicBool,
}

/// A log just opened, and what its owner must know of it.
pub(crate) struct Opened {
    pub(crate) store: LogStore,
    /// Nothing was ever written: no vote, no entry, no purge mark.
    pub(crate) empty: bool,
    pub(crate) purged: Option<LogIdOf<TypeConfig>>,
    pub(crate) last: Option<LogIdOf<TypeConfig>>,
    /// See [`super::engine::Recovered::tail_dropped`].
    pub(crate) tail_dropped: bool,
}

impl LogStore {
    /// Opens the log in `dir`. `before_first` runs after the first write is durable and before it
    /// is acknowledged.
    pub(crate) fn open(
        dir: &Path,
        torn: &Torn,
        before_first: Option<BeforeFirst>,
    ) -> Result<Opened, EngineError> {
        let (engine, found) = LogEngine::open(dir, torn)?;
        let view = View::recovered(found.vote, found.committed, found.purged, found.last);
        let shared = Arc::new(Shared {
            engine,
            view: RwLock::new(view),
            full: AtomicBool::new(false),
            removing: AtomicBool::new(false),
        });
        let (jobs, queue) = mpsc::channel(LOG_QUEUE_JOBS_MAX);
        // The thread ends by itself when the last sender is gone; nobody joins it.
        drop(writer::start(shared.clone(), queue, before_first).map_err(EngineError::Damaged)?);
        Ok(Opened {
            store: Self { shared, jobs },
            empty: found.vote.is_none() && found.last.is_none(),
            purged: found.purged,
            last: found.last,
            tail_dropped: found.tail_dropped,
        })
    }

    /// What stays readable after openraft has taken the store.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    async fn send(&self, job: Job) -> io::Result<()> {
        self.jobs.send(job).await.map_err(|_| stopped())
    }

    async fn send_and_wait(&self, job: impl FnOnce(Done) -> Job) -> io::Result<()> {
        let (done, waiting) = oneshot::channel();
        self.send(job(done)).await?;
        waiting.await.map_err(|_| stopped())?
    }

    /// Removes files that hold nothing but purged entries, in the background, one at a time.
    fn remove_expired(&self) {
        if self.shared.removing.swap(true, Ordering::AcqRel) {
            return;
        }
        let removing = Removing(self.shared.clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = removing.0.engine.remove_expired() {
                tracing::warn!(%error, "cannot remove expired log files");
            }
        });
    }
}

/// One removal under way; its end is noted however it ends, a panic of the engine included.
struct Removing(Arc<Shared>);

impl Drop for Removing {
    fn drop(&mut self) {
        self.0.removing.store(false, Ordering::Release);
    }
}

impl Shared {
    /// Whether the last write found the disk full.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// The last index that is both committed and on disk here: what a log that was not shortened
    /// still holds, or has purged, at the next start.
    pub(crate) fn durable_committed(&self) -> Option<u64> {
        self.view().durable_committed()
    }

    /// The last entry that is on disk here, or purged.
    pub(crate) fn durable_last(&self) -> Option<u64> {
        self.view().durable_last()
    }

    /// The last entry, on disk or on its way there.
    pub(crate) fn last(&self) -> Option<LogIdOf<TypeConfig>> {
        self.view().last
    }

    pub(super) fn view(&self) -> RwLockReadGuard<'_, View> {
        // A panic while the view was held leaves marks and entries whole: each method is one step.
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<
        RB: std::ops::RangeBounds<u64> + Clone + std::fmt::Debug + OptionalSend,
    >(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<EntryOf<TypeConfig>>> {
        self.get_log_reader().await.try_get_log_entries(range).await
    }

    async fn read_vote(&mut self) -> io::Result<Option<VoteOf<TypeConfig>>> {
        Ok(self.shared.view().vote)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = LogReader;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let view = self.shared.view();
        Ok(LogState {
            last_purged_log_id: view.purged,
            last_log_id: view.last,
        })
    }

    async fn get_log_reader(&mut self) -> LogReader {
        LogReader::new(self.shared.clone())
    }

    async fn save_vote(&mut self, vote: &VoteOf<TypeConfig>) -> io::Result<()> {
        self.send_and_wait(|done| Job::Vote(*vote, done)).await?;
        self.shared.view_mut().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogIdOf<TypeConfig>>) -> io::Result<()> {
        self.shared.view_mut().committed = committed;
        self.send(Job::Committed(committed)).await
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogIdOf<TypeConfig>>> {
        Ok(self.shared.view().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = EntryOf<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut stored = Vec::new();
        {
            let mut view = self.shared.view_mut();
            for entry in entries {
                let encoded = StoredEntry::new(&entry)?;
                view.append(entry, encoded.len());
                stored.push(encoded);
            }
        }
        // Readable now, durable when the writer says so: openraft may send the next meanwhile.
        self.send(Job::Append(stored, callback)).await
    }

    async fn truncate_after(&mut self, last: Option<LogIdOf<TypeConfig>>) -> io::Result<()> {
        let void_from = last.map_or(0, |last| last.index + 1);
        if void_from >= self.shared.view().readable().end {
            return Ok(());
        }
        self.send_and_wait(|done| Job::Truncate(void_from, done))
            .await?;
        self.shared.view_mut().truncate_after(last);
        Ok(())
    }

    async fn purge(&mut self, purged: LogIdOf<TypeConfig>) -> io::Result<()> {
        self.send_and_wait(|done| Job::Purge(purged, done)).await?;
        self.shared.view_mut().purge(purged);
        self.remove_expired();
        Ok(())
    }
}

fn stopped() -> io::Error {
    io::Error::other("the log has stopped")
}
