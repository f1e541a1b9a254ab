//! The thread that writes the log: takes what is queued, writes it with one fdatasync, answers.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use openraft::alias::{LogIdOf, VoteOf};
use openraft::storage::IOFlushed;
use sys::crash::{self, Point};
use sys::file::is_full;
use tokio::sync::{mpsc, oneshot};

use super::engine::{Batch, StoredEntry};
use super::store::Shared;
use crate::raft::TypeConfig;
use crate::replica::limits::{LOG_GROUP_BYTES_MAX, LOG_GROUP_JOBS_MAX};

/// How often a write is tried again while the disk is full.
const FULL_RETRY: Duration = Duration::from_millis(200);

/// Something to be written, in order.
pub(super) enum Job {
    /// Entries; openraft is told when they are durable.
    Append(Vec<StoredEntry>, IOFlushed<TypeConfig>),
    /// A vote.
    Vote(VoteOf<TypeConfig>, Done),
    /// How far the log is committed; a hint that needs no fsync.
    Committed(Option<LogIdOf<TypeConfig>>),
    /// Everything from this index on is void.
    Truncate(u64, Done),
    /// Everything up to this one may go.
    Purge(LogIdOf<TypeConfig>, Done),
}

/// Told when a job is durable.
pub(super) type Done = oneshot::Sender<io::Result<()>>;

/// Called before the first write is acknowledged; again when it failed.
pub(crate) type BeforeFirst = Box<dyn Fn() -> io::Result<()> + Send>;

/// Starts the thread; it ends when every sender of `jobs` is gone.
pub(super) fn start(
    shared: Arc<Shared>,
    jobs: mpsc::Receiver<Job>,
    before_first: Option<BeforeFirst>,
) -> io::Result<thread::JoinHandle<()>> {
    let mut writer = Writer {
        shared,
        before_first,
        failed: None,
    };
    thread::Builder::new()
        .name("raft-log".to_owned())
        .spawn(move || writer.run(jobs))
}

struct Writer {
    shared: Arc<Shared>,
    before_first: Option<BeforeFirst>,
    /// The first failure; nothing is written after it, because a later fsync that succeeds says
    /// nothing about what an earlier one lost.
    failed: Option<io::ErrorKind>,
}

impl Writer {
    fn run(&mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut next = None;
        while let Some(first) = next.take().or_else(|| jobs.blocking_recv()) {
            let mut group = vec![first];
            next = fill_group(&mut group, &mut jobs);
            let [before, after, told] = points(&group);
            crash::at(before);
            let written = self.write_patiently(&group, &jobs);
            crash::at(after);
            self.answer(group, &written);
            crash::at(told);
        }
    }

    /// Writes the group; while the disk is full, waits and tries again. Nobody is told that
    /// anything is durable meanwhile, so the node looks slow to its peers, not wrong.
    fn write_patiently(&mut self, group: &[Job], jobs: &mpsc::Receiver<Job>) -> io::Result<()> {
        loop {
            let written = self.write(group);
            let full = matches!(&written, Err(e) if is_full(e));
            self.shared.full.store(full, Ordering::Relaxed);
            if !full || jobs.is_closed() {
                return written;
            }
            tracing::error!("the disk is full: the log waits for space");
            thread::sleep(FULL_RETRY);
        }
    }

    fn write(&mut self, group: &[Job]) -> io::Result<()> {
        if let Some(kind) = self.failed {
            return Err(io::Error::new(
                kind,
                "the log stopped at an earlier failure",
            ));
        }
        let mut batch = Batch::default();
        for job in group {
            add(&mut batch, job)?;
        }
        let durable = group.iter().any(|job| !matches!(job, Job::Committed(_)));
        let written = self.shared.engine.write(batch, durable);
        match written {
            Err(error) if !is_full(&error) => {
                tracing::error!(%error, "the log cannot be written");
                self.failed = Some(error.kind());
                Err(error)
            }
            Err(error) => Err(error),
            Ok(()) if durable => self.mark_first(),
            Ok(()) => Ok(()),
        }
    }

    fn mark_first(&mut self) -> io::Result<()> {
        if let Some(mark) = &self.before_first {
            mark()?;
        }
        self.before_first = None;
        Ok(())
    }

    fn answer(&self, group: Vec<Job>, written: &io::Result<()>) {
        for job in group {
            match job {
                Job::Append(entries, flushed) => {
                    if let (Ok(()), Some(last)) = (written, entries.last()) {
                        self.shared.view_mut().durable_before(last.index + 1);
                    }
                    flushed.io_completed(copy(written));
                }
                Job::Vote(_, done) | Job::Truncate(_, done) | Job::Purge(_, done) => {
                    // Nobody waits when Raft is shutting down.
                    drop(done.send(copy(written)));
                }
                Job::Committed(_) => {}
            }
        }
    }
}

/// Takes what may share one write with the group; answers a job that may not.
fn fill_group(group: &mut Vec<Job>, jobs: &mut mpsc::Receiver<Job>) -> Option<Job> {
    let mut bytes: usize = group.iter().map(size).sum();
    // A truncation or purge is written alone: then it is plain in which order things happened.
    while group.len() < LOG_GROUP_JOBS_MAX
        && bytes < LOG_GROUP_BYTES_MAX
        && !group.iter().any(stands_alone)
    {
        let job = jobs.try_recv().ok()?;
        if stands_alone(&job) {
            return Some(job);
        }
        bytes += size(&job);
        group.push(job);
    }
    None
}

/// Where a test may end the process: before and after the write, and once everybody is told.
fn points(group: &[Job]) -> [Point; 3] {
    if group.iter().any(stands_alone) {
        return [Point::LogUncut, Point::LogCut, Point::LogTold];
    }
    let votes = group.iter().any(|job| matches!(job, Job::Vote(..)));
    let told = if votes {
        Point::VoteTold
    } else {
        Point::LogTold
    };
    [Point::LogUnwritten, Point::LogWritten, told]
}

fn stands_alone(job: &Job) -> bool {
    match job {
        Job::Truncate(..) | Job::Purge(..) => true,
        Job::Append(..) | Job::Vote(..) | Job::Committed(_) => false,
    }
}

fn size(job: &Job) -> usize {
    match job {
        Job::Append(entries, _) => entries.iter().map(StoredEntry::len).sum(),
        Job::Vote(..) | Job::Committed(_) | Job::Truncate(..) | Job::Purge(..) => 0,
    }
}

fn add(batch: &mut Batch, job: &Job) -> io::Result<()> {
    match job {
        Job::Append(entries, _) => batch.append(entries),
        Job::Vote(vote, _) => batch.vote(vote),
        Job::Committed(committed) => batch.committed(committed),
        Job::Truncate(void_from, _) => batch.void_from(*void_from),
        Job::Purge(purged, _) => batch.purge(purged),
    }
}

/// An error for each of the many that wait for one write.
fn copy(result: &io::Result<()>) -> io::Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    }
}
