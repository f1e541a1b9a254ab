//! Writes segments: entries gather in memory, a group commit makes many durable with one
//! `fdatasync`. Owned by the archive's thread.
//!
//! What is not committed stays in memory until it is, so that a full or failing disk loses nothing
//! that was let into the queue: the commit is tried again. After a failed `fdatasync` nobody knows
//! what the file holds behind the last commit; it is cut there, and everything since goes into a
//! new segment.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use envelope::id::{DataKeyId, FlowId};
use envelope::segment::{Entry, FlowOpened, Mark, SideCarKey, append};

use super::limits::{COMMIT_BYTES, COMMIT_INTERVAL, COMMIT_KEYS, SEGMENT_KEYS, WRITE_BYTES};
use super::metrics;
use super::segment::{Condemned, Segment, WriteError};
use super::segments::OpenFrom;

/// What a new segment must know of the flows that are open.
#[derive(Default)]
pub(super) struct Carried {
    pub(super) flows: Vec<(FlowId, FlowOpened)>,
    pub(super) keys: Vec<Arc<SideCarKey>>,
}

/// The segment that is written to, and what is to be committed next.
pub(super) struct Writer {
    dir: PathBuf,
    segment_bytes: u64,
    segment_age: Duration,
    segment: Option<Segment>,
    next_sequence: u64,
    /// Entries since the last commit.
    pending: Vec<u8>,
    /// The data keys of those entries.
    pending_keys: Vec<Arc<SideCarKey>>,
    pending_key_ids: HashSet<DataKeyId>,
    pending_since: Option<Instant>,
    /// Whether the pending entries end with their mark.
    marked: bool,
    condemned: Option<Condemned>,
    /// Whether the segment is to end with the next commit, whatever its size.
    ending: bool,
    open_from: OpenFrom,
}

impl Writer {
    /// Writes into `dir`, from segment `next_sequence` on.
    pub(super) fn new(dir: &Path, next_sequence: u64, bytes: u64, age: Duration) -> Self {
        Self {
            dir: dir.to_owned(),
            segment_bytes: bytes,
            segment_age: age,
            segment: None,
            next_sequence,
            pending: Vec::new(),
            pending_keys: Vec::new(),
            pending_key_ids: HashSet::new(),
            pending_since: None,
            marked: false,
            condemned: None,
            ending: false,
            open_from: OpenFrom::default(),
        }
    }

    /// Tells of each segment that it is written no more, from here on.
    pub(super) fn tell(&mut self, open_from: OpenFrom) {
        self.open_from = open_from;
        self.give_up();
    }

    /// Lets the segment that is written be followed by another.
    pub(super) fn end_segment(&mut self) {
        self.ending = !self.pending.is_empty();
        if !self.ending {
            self.segment = None;
            self.give_up();
        }
    }

    /// Appends an entry to the next commit.
    pub(super) fn append(&mut self, entry: &Entry<'_>) {
        append(&mut self.pending, entry);
        self.grown();
    }

    /// Appends what `write` puts at the end of the buffer, sealed under data key `key`; nothing
    /// when it answers `false`. Answers the same.
    pub(super) fn append_sealed(
        &mut self,
        key: &Arc<SideCarKey>,
        write: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> bool {
        let before = self.pending.len();
        let keep = write(&mut self.pending);
        if !keep {
            self.pending.truncate(before);
            return false;
        }
        if self.pending_key_ids.insert(key.data_key_id) {
            self.pending_keys.push(key.clone());
        }
        self.grown();
        true
    }

    /// Whether so much waits that nothing more should be taken on before a commit.
    pub(super) fn is_full(&self) -> bool {
        self.pending.len() >= COMMIT_BYTES || self.pending_keys.len() >= COMMIT_KEYS
    }

    pub(super) fn is_clean(&self) -> bool {
        self.pending.is_empty()
    }

    /// When the next commit is due.
    pub(super) fn due_at(&self) -> Option<Instant> {
        Some(self.pending_since? + COMMIT_INTERVAL)
    }

    /// Writes ahead of the commit once there is enough, to keep the commit short.
    pub(super) fn write_ahead(&mut self) -> io::Result<()> {
        let Some(segment) = &mut self.segment else {
            return Ok(());
        };
        if self.pending.len() - segment.written() < WRITE_BYTES {
            return Ok(());
        }
        segment.write(&self.pending, &self.pending_keys)
    }

    /// Makes everything that was appended durable. `carried` is asked when a new segment begins.
    ///
    /// # Errors
    ///
    /// What the file system answers; nothing is lost, call again.
    pub(super) fn commit(
        &mut self,
        now_ms: u64,
        carried: impl FnOnce() -> Carried,
    ) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let begun = sys::clock::monotonic();
        if !self.marked {
            append(&mut self.pending, &Entry::Mark(Mark { at_ms: now_ms }));
            self.marked = true;
        }
        if let Some(condemned) = &self.condemned {
            condemned.cut()?;
            self.condemned = None;
        }
        match &mut self.segment {
            Some(segment) => match segment.commit(&self.pending, &self.pending_keys) {
                Ok(()) => {}
                Err(WriteError::NotWritten(error)) => return Err(error),
                Err(WriteError::NotSynced(error, condemned)) => {
                    self.condemned = Some(condemned);
                    self.segment = None;
                    self.give_up();
                    return Err(error);
                }
            },
            None => self.segment = Some(self.begin_segment(now_ms, carried())?),
        }
        metrics::commit(self.pending.len(), begun.elapsed());
        self.committed();
        if self
            .segment
            .as_ref()
            .is_some_and(|segment| self.ending || self.is_over(segment))
        {
            self.segment = None;
            self.ending = false;
            self.give_up();
        }
        Ok(())
    }

    fn begin_segment(&mut self, now_ms: u64, carried: Carried) -> io::Result<Segment> {
        // The flows follow what happened to them: each entry says how a flow stands now.
        let mut entries = self.pending.clone();
        for (flow, opened) in carried.flows {
            append(&mut entries, &Entry::FlowOpened(flow, opened));
        }
        let (mut keys, mut ids) = (self.pending_keys.clone(), self.pending_key_ids.clone());
        keys.extend(carried.keys.into_iter().filter(|key| {
            // Each once, whether it came with an entry or with an open object.
            ids.insert(key.data_key_id)
        }));
        let segment = Segment::create(&self.dir, self.next_sequence, now_ms, &entries, &keys)?;
        self.next_sequence += 1;
        Ok(segment)
    }

    /// No segment that there is will be written again.
    fn give_up(&self) {
        if self.segment.is_none() {
            self.open_from.give_up_before(self.next_sequence);
        }
    }

    /// Whether a segment is to be followed by another.
    fn is_over(&self, segment: &Segment) -> bool {
        segment.committed_bytes() >= self.segment_bytes
            || segment.age() >= self.segment_age
            || segment.added_keys() >= SEGMENT_KEYS
    }

    fn grown(&mut self) {
        self.marked = false;
        self.pending_since.get_or_insert_with(sys::clock::monotonic);
    }

    fn committed(&mut self) {
        self.pending.clear();
        self.pending.shrink_to(2 * COMMIT_BYTES);
        self.pending_keys.clear();
        self.pending_key_ids.clear();
        self.pending_since = None;
        self.marked = false;
    }
}

#[cfg(test)]
mod tests;
