//! What readers of the log see: marks, and the newest entries, which may not be on disk yet.
//!
//! An entry is readable as soon as `append` returned; the writer makes it durable later. Until
//! then it is only here, so it is never evicted before.

use std::collections::VecDeque;
use std::ops::Range;

use openraft::alias::{EntryOf, LogIdOf, VoteOf};
use openraft::entry::RaftEntry;

use crate::raft::TypeConfig;
use crate::replica::limits::{LOG_RECENT_BYTES_MAX, LOG_RECENT_ENTRIES_MAX};

/// The readable state of the log.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) vote: Option<VoteOf<TypeConfig>>,
    pub(super) committed: Option<LogIdOf<TypeConfig>>,
    pub(super) purged: Option<LogIdOf<TypeConfig>>,
    pub(super) last: Option<LogIdOf<TypeConfig>>,
    /// The end of the log, without holes.
    recent: VecDeque<Recent>,
    recent_bytes: usize,
    /// The first index that is not known to be on disk.
    durable_end: u64,
}

#[derive(Debug)]
struct Recent {
    entry: EntryOf<TypeConfig>,
    bytes: usize,
}

impl View {
    /// The view of a log just opened: everything in it is on disk.
    pub(super) fn recovered(
        vote: Option<VoteOf<TypeConfig>>,
        committed: Option<LogIdOf<TypeConfig>>,
        purged: Option<LogIdOf<TypeConfig>>,
        last: Option<LogIdOf<TypeConfig>>,
    ) -> Self {
        Self {
            vote,
            committed,
            purged,
            last,
            durable_end: last.map_or(0, |last| last.index + 1),
            ..Self::default()
        }
    }

    /// Indexes that can be read.
    pub(super) fn readable(&self) -> Range<u64> {
        let start = self.purged.map_or(0, |purged| purged.index + 1);
        let end = self.last.map_or(0, |last| last.index + 1);
        start..end.max(start)
    }

    /// The part of `range` that is held here, and what of it must come from disk before.
    pub(super) fn read(&self, range: Range<u64>) -> (Range<u64>, Vec<EntryOf<TypeConfig>>) {
        let held = self.recent_start().clamp(range.start, range.end);
        let entries = self
            .recent_in(held..range.end)
            .map(|recent| recent.entry.clone())
            .collect();
        (range.start..held, entries)
    }

    /// Where to end a read of `range` so that what is held here stays within `bytes_max`, one
    /// entry at least.
    pub(super) fn bounded_end(&self, range: Range<u64>, bytes_max: usize) -> u64 {
        let start = self.recent_start().max(range.start);
        let mut bytes = 0;
        for recent in self.recent_in(start..range.end) {
            bytes += recent.bytes;
            if bytes > bytes_max && recent.entry.index() > range.start {
                return recent.entry.index();
            }
        }
        range.end
    }

    /// Adds an entry that follows the last one, or the purge mark.
    pub(super) fn append(&mut self, entry: EntryOf<TypeConfig>, bytes: usize) {
        self.last = Some(entry.log_id());
        self.recent.push_back(Recent { entry, bytes });
        self.recent_bytes += bytes;
        self.evict();
    }

    /// Notes that everything before `end` is on disk.
    pub(super) fn durable_before(&mut self, end: u64) {
        self.durable_end = self.durable_end.max(end);
        self.evict();
    }

    /// Forgets everything after `last`.
    pub(super) fn truncate_after(&mut self, last: Option<LogIdOf<TypeConfig>>) {
        let end = last.map_or(0, |last| last.index + 1);
        while self.recent.back().is_some_and(|r| r.entry.index() >= end) {
            self.pop_back();
        }
        self.durable_end = self.durable_end.min(end);
        self.last = last.max(self.purged);
    }

    /// Forgets everything up to `purged`.
    pub(super) fn purge(&mut self, purged: LogIdOf<TypeConfig>) {
        let purged = Some(purged).max(self.purged);
        let end = purged.map_or(0, |purged| purged.index + 1);
        while self.recent.front().is_some_and(|r| r.entry.index() < end) {
            self.pop_front();
        }
        self.durable_end = self.durable_end.max(end);
        self.purged = purged;
        self.last = self.last.max(purged);
    }

    fn recent_in(&self, range: Range<u64>) -> impl Iterator<Item = &Recent> {
        let skipped = range.start.saturating_sub(self.recent_start());
        self.recent
            .iter()
            .skip(usize::try_from(skipped).unwrap_or(usize::MAX))
            .take_while(move |recent| recent.entry.index() < range.end)
    }

    fn recent_start(&self) -> u64 {
        self.recent
            .front()
            .map_or(u64::MAX, |recent| recent.entry.index())
    }

    /// The last index that is on disk here, or purged.
    pub(super) fn durable_last(&self) -> Option<u64> {
        self.durable_end.checked_sub(1)
    }

    /// The last index that is both committed and on disk here.
    pub(super) fn durable_committed(&self) -> Option<u64> {
        let durable = self.durable_last()?;
        Some(self.committed?.index.min(durable))
    }

    fn evict(&mut self) {
        while (self.recent.len() > LOG_RECENT_ENTRIES_MAX
            || self.recent_bytes > LOG_RECENT_BYTES_MAX)
            && self.recent_start() < self.durable_end
        {
            self.pop_front();
        }
    }

    fn pop_front(&mut self) {
        if let Some(gone) = self.recent.pop_front() {
            self.recent_bytes -= gone.bytes;
        }
    }

    fn pop_back(&mut self) {
        if let Some(gone) = self.recent.pop_back() {
            self.recent_bytes -= gone.bytes;
        }
    }
}
