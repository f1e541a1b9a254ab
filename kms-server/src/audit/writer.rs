//! The handle that the API holds, and the one thread that owns the file.
//!
//! Callers queue; the thread takes all that wait, commits them with one `fdatasync`, and answers
//! each. While it syncs, the next batch gathers: the busier the node, the fewer syncs a record.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::chain::{Head, VerifyError};
use super::disk::{Disk, OsDisk};
use super::limits::{BATCH_MAX, FILE_BYTES_MAX, QUEUE_MAX};
use super::log::Log;
use super::record::AuditRecord;

/// Where and for whom the log is written.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// The directory; made when missing, mode 0700.
    pub dir: PathBuf,
    /// The node's name, in the first line of every file.
    pub node: String,
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
    Unreadable(#[source] Arc<VerifyError>),
    /// The log was closed: the node is stopping.
    #[error("the audit log is closed")]
    Closed,
}

/// The audit log of this node; clones write the same log.
#[derive(Clone)]
pub struct Audit {
    queue: mpsc::Sender<Job>,
    seen: Arc<Mutex<Seen>>,
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
        let log = Log::open(&config.dir, &config.node, file_bytes_max, disk)?;
        let (queue, jobs) = mpsc::channel(QUEUE_MAX);
        let seen = Arc::new(Mutex::new(Seen {
            head: log.head(),
            available: true,
        }));
        let writer = Writer {
            log,
            jobs,
            seen: Arc::clone(&seen),
        };
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| AuditError::Disk(Arc::new(error)))?;
        Ok(Self { queue, seen })
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

    /// Whether the newest attempt to write succeeded; for health, never for a decision.
    #[must_use]
    pub fn is_available(&self) -> bool {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .available
    }

    /// The newest durable line, for checkpoints and anchors.
    #[must_use]
    pub fn head(&self) -> Head {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .head
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

struct Seen {
    head: Head,
    available: bool,
}

enum Job {
    Record(Box<AuditRecord>, oneshot::Sender<Result<u64, AuditError>>),
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
        let mut records = Vec::new();
        let mut answers = Vec::new();
        let mut closed = None;
        while closed.is_none() {
            let Some(mut job) = self.jobs.blocking_recv() else {
                return;
            };
            loop {
                match job {
                    Job::Record(record, answer) => {
                        records.push(*record);
                        answers.push(answer);
                    }
                    Job::Close(answer) => {
                        closed = Some(answer);
                        break;
                    }
                }
                if records.len() == BATCH_MAX {
                    break;
                }
                match self.jobs.try_recv() {
                    Ok(next) => job = next,
                    Err(_) => break,
                }
            }
            self.commit(&records, answers.drain(..));
            records.clear();
        }
        if let Some(answer) = closed {
            // Whoever asked may have gone; the log is closed all the same.
            answer.send(()).unwrap_or(());
        }
    }

    fn commit(
        &mut self,
        records: &[AuditRecord],
        answers: impl Iterator<Item = oneshot::Sender<Result<u64, AuditError>>>,
    ) {
        if records.is_empty() {
            return;
        }
        let result = self.log.commit(records);
        self.note(records.len(), &result);
        for (place, answer) in answers.enumerate() {
            let result = result.clone().map(|first| first + place as u64);
            // A caller whose deadline passed is gone; its record stands.
            answer.send(result).unwrap_or(());
        }
    }

    fn note(&self, records: usize, result: &Result<u64, AuditError>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(_) => {
                metrics::counter!("ward_audit_records_total").increment(records as u64);
                metrics::counter!("ward_audit_commits_total").increment(1);
            }
            Err(error) => {
                metrics::counter!("ward_audit_failures_total").increment(1);
                if seen.available {
                    tracing::error!(%error, "nothing secret leaves until the audit log works");
                }
            }
        }
        seen.available = result.is_ok();
        seen.head = self.log.head();
    }
}
