//! What the state machine does, without openraft's clothes: apply a chunk, install a snapshot.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openraft::alias::{EntryOf, SnapshotMetaOf, StoredMembershipOf};
use openraft::entry::{EntryPayload, RaftEntry};
use openraft::storage::EntryResponder;
use sys::crash::{self, Point};

use crate::command::{self, Command, Effect, Write};
use crate::raft::snapshot::{Shelf, SnapshotFile};
use crate::raft::{Answer, SnapshotNewer, TypeConfig};
use crate::state::{Applied, FORMAT_FIRST, FORMAT_VERSION, Pin, StateCell, Store};

/// The state in memory; on disk, as a snapshot file and, on sled, what changed since.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) cell: StateCell,
    pub(crate) shelf: Shelf,
    store: Mutex<Store>,
    /// Whether something failed for want of room: openraft hands on the text of an error alone.
    disk_full: AtomicBool,
    closing: AtomicBool,
    /// The newest format that this program knows.
    format_known: u32,
    /// A newer one that the log or a snapshot asked for; 0 for none.
    format_found: AtomicU32,
}

impl Core {
    pub(crate) fn new(store: Store, cell: StateCell, shelf: Shelf) -> Self {
        Self {
            cell,
            shelf,
            store: Mutex::new(store),
            disk_full: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            format_known: FORMAT_VERSION,
            format_found: AtomicU32::new(0),
        }
    }

    /// The same, of a program that knows this format.
    pub(crate) fn knowing(self, format_known: u32) -> Self {
        Self {
            format_known,
            ..self
        }
    }

    /// The newest format that this program knows.
    pub(crate) fn format_known(&self) -> u32 {
        self.format_known
    }

    /// The format that ended this replica because its program does not know it.
    pub(crate) fn found_newer_format(&self) -> Option<u32> {
        let found = self.format_found.load(Ordering::Acquire);
        (found != 0).then_some(found)
    }

    /// Notes the format that ends this replica.
    pub(crate) fn note_newer_format(&self, found: u32) {
        self.format_found.store(found, Ordering::Release);
    }

    /// Refuses a format that this program does not know: what it would write there is wrong.
    fn check_format(&self, found: u32) -> io::Result<()> {
        if found <= self.format_known {
            return Ok(());
        }
        self.note_newer_format(found);
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the cluster's format is newer than this program",
        ))
    }

    /// How far the log is applied.
    pub(crate) fn applied(&self) -> Applied {
        self.store().applied().clone()
    }

    /// The format of the state as it is.
    pub(crate) fn format(&self) -> u32 {
        let index = self.cell.index();
        index
            .cluster()
            .map_or(FORMAT_FIRST, |cluster| cluster.format_version)
    }

    /// Pins the present point for a snapshot. In order with apply.
    pub(super) fn pin(&self) -> Arc<Pin> {
        let applied = self.store().pin();
        self.cell.pin(applied)
    }

    /// Applies entries in order: each to the index in memory, then all of them to sled at once, for
    /// its price is one of batches. Then they are published and answered.
    ///
    /// The index may be read meanwhile. What it has is committed, and sled only saves the next
    /// start from applying it again.
    pub(crate) fn apply(&self, chunk: Vec<EntryResponder<TypeConfig>>) -> io::Result<()> {
        crash::at(Point::Unapplied);
        let mut store = self.store();
        let mut stored = store.begin();
        let mut changes = Vec::new();
        let mut answers = Vec::with_capacity(chunk.len());
        let mut ended = Ok(());
        for (entry, responder) in chunk {
            let mut applied = stored.applied().clone();
            let (answer, writes) = match self.carry_out(&entry, &mut applied) {
                Ok(done) => done,
                // What is before it counts.
                Err(error) => {
                    ended = Err(error);
                    break;
                }
            };
            stored.add(&writes, applied);
            changes.extend(self.cell.put(writes, entry.index()));
            answers.extend(responder.map(|responder| (responder, answer)));
        }
        let last = stored.applied().index();
        crash::at(Point::Indexed);
        stored.commit();
        crash::at(Point::Stored);
        self.cell.publish(changes, last);
        crash::at(Point::Published);
        for (responder, answer) in answers {
            responder.send(answer);
        }
        ended
    }

    /// Replaces the state by a snapshot's; the snapshot is durable and the newest before.
    pub(crate) fn install(
        &self,
        meta: &SnapshotMetaOf<TypeConfig>,
        file: &SnapshotFile,
    ) -> io::Result<()> {
        let loaded = file.load();
        if let Err(error) = &loaded
            && let Some(SnapshotNewer(version)) = SnapshotNewer::of(error)
        {
            self.note_newer_format(version);
        }
        let (found, index) = loaded?;
        if found != *meta {
            let what = "the snapshot is not the one that was announced";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        if let Some(cluster) = index.cluster() {
            self.check_format(cluster.format_version)?;
        }
        self.shelf.keep(meta, file)?;
        let applied = Applied::from(meta);
        crash::at(Point::SnapshotInstalled);
        let shed = self.store().restart(applied.clone());
        crash::at(Point::StoreRestarted);
        self.cell.replace(index, &applied);
        shed.drop_trees();
        Ok(())
    }

    /// Keeps a snapshot that was built here, durably, and drops what it makes superfluous.
    pub(super) fn keep(
        &self,
        meta: &SnapshotMetaOf<TypeConfig>,
        file: &SnapshotFile,
    ) -> io::Result<SnapshotFile> {
        let kept = self.shelf.keep(meta, file)?;
        let shed = self.store().shed(meta.last_log_id);
        crash::at(Point::GenerationsLeft);
        shed.drop_trees();
        Ok(kept)
    }

    /// Notes what an error, that ends Raft, tells about the disk.
    pub(super) fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if matches!(&result, Err(error) if sys::file::is_full(error)) {
            self.disk_full.store(true, Ordering::Release);
        }
        result
    }

    /// Whether something failed because the disk is full.
    pub(crate) fn found_disk_full(&self) -> bool {
        self.disk_full.load(Ordering::Acquire)
    }

    /// Ends whatever waits for room on the disk.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Hands what sled buffers to the kernel.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.store().flush()
    }

    /// What an entry changes, and what is answered.
    fn carry_out(
        &self,
        entry: &EntryOf<TypeConfig>,
        applied: &mut Applied,
    ) -> io::Result<(Answer, Vec<Write>)> {
        let log_id = entry.log_id();
        applied.log_id = Some(log_id);
        Ok(match &entry.payload {
            EntryPayload::Blank => (Answer::Nothing, Vec::new()),
            EntryPayload::Membership(membership) => {
                applied.membership =
                    StoredMembershipOf::<TypeConfig>::new(Some(log_id), membership.clone());
                (Answer::Nothing, Vec::new())
            }
            EntryPayload::Normal(proposal) => {
                let effect = command::apply(&self.cell.index(), log_id.index, proposal);
                if let Command::RaiseFormat(raise) = &proposal.command
                    && effect.answer.is_ok()
                {
                    // Before it is kept: a newer program goes on from here. One that was refused
                    // raises nothing.
                    self.check_format(raise.version)?;
                }
                answer_of(effect)
            }
        })
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        // Its summary is replaced in one step, after the batch.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer_of(effect: Effect) -> (Answer, Vec<Write>) {
    let index = effect.answered_at;
    let answer = match effect.answer {
        Ok(outcome) => Answer::Done { index, outcome },
        Err(refusal) => Answer::Refused(refusal),
    };
    (answer, effect.writes.into_vec())
}
