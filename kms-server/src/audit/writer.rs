//! The handle that the API holds, and the one thread that owns the file.
//!
//! Callers queue; the thread takes all that wait, commits them with one `fdatasync`, and answers
//! each. While it syncs, the next batch gathers: the busier the node, the fewer syncs a record.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sys::crash::{self, Point};
use tokio::sync::{mpsc, oneshot};

use super::chain::Head;
use super::disk::{Disk, OsDisk};
use super::files::ScanError;
use super::key::{CheckpointKey, LogName, PublicKey};
use super::limits::{BATCH_MAX, CHECKPOINTS_KEPT, FILE_BYTES_MAX, QUEUE_MAX};
use super::log::{Log, Settings};
use super::record::AuditRecord;

/// Where and for whom the log is written.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// The directory; made when missing, mode 0700.
    pub dir: PathBuf,
    /// The file of the signing key; made when missing, mode 0600.
    pub key: PathBuf,
    /// Whose log it is.
    pub name: LogName,
}

/// Proof that a record is on disk. The vault gives out secrets only against one.
#[derive(Debug)]
pub struct Durable {
    sequence: u64,
}

impl Durable {
    /// The record's number in the chain.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}

/// Why nothing may be answered now.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuditError {
    /// The disk refused; mostly it is full.
    #[error("the audit log cannot be written; free space on its disk or mend it")]
    Disk(#[source] Arc<io::Error>),
    /// Someone took the file away while it was in use.
    #[error("the audit log's file was deleted or moved; a new one is begun with the next call")]
    Lost,
    /// The former log cannot be read at the start.
    #[error("the audit log cannot be read; mend its disk or its permissions")]
    Unreadable(#[source] Arc<ScanError>),
    /// The signing key cannot be used.
    #[error(
        "the audit log's signing key cannot be used; mend its file, or move it away for a new one"
    )]
    Key(#[source] Arc<io::Error>),
    /// The log was closed: the node is stopping.
    #[error("the audit log is closed")]
    Closed,
}

/// The audit log of this node; clones write the same log.
#[derive(Clone)]
pub struct Audit {
    queue: mpsc::Sender<Job>,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) dir: Arc<PathBuf>,
    public_key: PublicKey,
}

impl Audit {
    /// Opens the log and starts its thread, which ends with [`close`](Self::close) or with the
    /// last clone.
    ///
    /// # Errors
    /// The directory or its newest file cannot be used.
    pub fn open(config: &AuditConfig) -> Result<Self, AuditError> {
        sys::file::create_dirs(&config.dir, 0o700)
            .map_err(|error| AuditError::Disk(Arc::new(error)))?;
        Self::open_on(config, FILE_BYTES_MAX, Box::new(OsDisk))
    }

    pub(super) fn open_on(
        config: &AuditConfig,
        file_bytes_max: u64,
        disk: Box<dyn Disk>,
    ) -> Result<Self, AuditError> {
        let key = CheckpointKey::open(&config.key, config.name)?;
        let public_key = *key.public();
        let log = Log::open(Settings {
            dir: config.dir.clone(),
            name: config.name,
            key,
            file_bytes_max,
            disk,
        })?;
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let seen = Arc::new(Mutex::new(Seen::of(&log)));
        let writer = Writer {
            log,
            jobs,
            seen: Arc::clone(&seen),
        };
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| AuditError::Disk(Arc::new(error)))?;
        Ok(Self {
            queue,
            seen,
            dir: Arc::new(config.dir.clone()),
            public_key,
        })
    }

    /// Makes `record` durable. Waits while the queue is full, so callers bring their deadline.
    ///
    /// # Errors
    /// The record may not be on disk, and nothing may be answered.
    pub async fn record(&self, record: AuditRecord) -> Result<Durable, AuditError> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Record(Box::new(record), answer);
        self.queue.send(job).await.map_err(|_| AuditError::Closed)?;
        let sequence = answered.await.map_err(|_| AuditError::Closed)??;
        Ok(Durable { sequence })
    }

    /// Signs the newest line where that was not done yet, and notices a file that was taken away.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub async fn checkpoint(&self) -> Result<(), AuditError> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Checkpoint(answer);
        self.queue.send(job).await.map_err(|_| AuditError::Closed)?;
        answered.await.map_err(|_| AuditError::Closed)?
    }

    /// The public half of the signing key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Whether the newest attempt to write succeeded; for health, never for a decision.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.seen().available
    }

    /// The newest durable line.
    #[must_use]
    pub fn head(&self) -> Head {
        self.seen().head
    }

    /// The newest checkpoint, which anchors name.
    #[must_use]
    pub fn newest_checkpoint(&self) -> Option<Head> {
        self.seen().checkpoints.back().copied()
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what is queued, then ends the thread. Later records are refused.
    pub async fn close(&self) {
        let (answer, answered) = oneshot::channel();
        if self.queue.send(Job::Close(answer)).await.is_ok() {
            // An error means that the thread ended already, which is what was asked for.
            answered.await.unwrap_or(());
        }
    }
}

/// What the thread has done, for everybody else.
pub(super) struct Seen {
    pub(super) head: Head,
    /// The newest checkpoints, newest last.
    pub(super) checkpoints: VecDeque<Head>,
    /// The current file and how much of it is durable.
    pub(super) file_name: String,
    pub(super) durable_bytes: u64,
    available: bool,
}

impl Seen {
    fn of(log: &Log) -> Self {
        let (file_name, durable_bytes) = log.place();
        Self {
            head: log.head(),
            checkpoints: log.checkpoint().into_iter().collect(),
            file_name: file_name.to_owned(),
            durable_bytes,
            available: true,
        }
    }

    fn update(&mut self, log: &Log) {
        let (file_name, durable_bytes) = log.place();
        if self.file_name != file_name {
            file_name.clone_into(&mut self.file_name);
        }
        self.durable_bytes = durable_bytes;
        self.head = log.head();
        if let Some(newest) = log.checkpoint()
            && self.checkpoints.back() != Some(&newest)
        {
            self.checkpoints.push_back(newest);
            if self.checkpoints.len() > CHECKPOINTS_KEPT {
                self.checkpoints.pop_front();
            }
        }
    }
}

enum Job {
    Record(Box<AuditRecord>, oneshot::Sender<Result<u64, AuditError>>),
    Checkpoint(oneshot::Sender<Result<(), AuditError>>),
    Close(oneshot::Sender<()>),
}

/// The thread.
struct Writer {
    log: Log,
    jobs: mpsc::Receiver<Job>,
    seen: Arc<Mutex<Seen>>,
}

impl Writer {
    fn run(mut self) {
        let mut batch = Batch::default();
        while batch.closed.is_none() {
            let Some(mut job) = self.jobs.blocking_recv() else {
                return;
            };
            loop {
                batch.take(job);
                if batch.closed.is_some() || batch.records.len() == BATCH_MAX {
                    break;
                }
                match self.jobs.try_recv() {
                    Ok(next) => job = next,
                    Err(_) => break,
                }
            }
            self.commit(&mut batch);
        }
        if let Some(answer) = batch.closed {
            // Whoever asked may have gone; the log is closed all the same.
            answer.send(()).unwrap_or(());
        }
    }

    fn commit(&mut self, batch: &mut Batch) {
        let sign = !batch.checkpoints.is_empty() || batch.closed.is_some();
        crash::at(Point::AuditUnwritten);
        let result = self.log.commit(&batch.records, sign);
        crash::at(Point::AuditSynced);
        self.note(batch.records.len(), &result);
        for (place, answer) in batch.answers.drain(..).enumerate() {
            let result = result.clone().map(|first| first + place as u64);
            // A caller whose deadline passed is gone; its record stands.
            answer.send(result).unwrap_or(());
        }
        for answer in batch.checkpoints.drain(..) {
            answer.send(result.clone().map(drop)).unwrap_or(());
        }
        batch.records.clear();
    }

    fn note(&self, records: usize, result: &Result<u64, AuditError>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(_) => {
                metrics::counter!("ward_audit_records_total").increment(records as u64);
                metrics::counter!("ward_audit_commits_total").increment(u64::from(records > 0));
            }
            Err(error) => {
                metrics::counter!("ward_audit_failures_total").increment(1);
                if seen.available {
                    tracing::error!(%error, "nothing secret leaves until the audit log works");
                }
            }
        }
        seen.available = result.is_ok();
        seen.update(&self.log);
    }
}

/// What one sync makes durable, and who waits for it.
#[derive(Default)]
struct Batch {
    records: Vec<AuditRecord>,
    answers: Vec<oneshot::Sender<Result<u64, AuditError>>>,
    checkpoints: Vec<oneshot::Sender<Result<(), AuditError>>>,
    closed: Option<oneshot::Sender<()>>,
}

impl Batch {
    fn take(&mut self, job: Job) {
        match job {
            Job::Record(record, answer) => {
                self.records.push(*record);
                self.answers.push(answer);
            }
            Job::Checkpoint(answer) => self.checkpoints.push(answer),
            Job::Close(answer) => self.closed = Some(answer),
        }
    }
}
