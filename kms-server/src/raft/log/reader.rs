//! Reads the log: for replication, for apply, and when Raft starts.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;

use openraft::alias::{EntryOf, VoteOf};
use openraft::entry::RaftEntry;
use openraft::{OptionalSend, RaftLogReader};

use super::store::Shared;
use crate::raft::TypeConfig;
use crate::replica::limits::{LOG_READ_BYTES_MAX, LOG_READ_ENTRIES_MAX};

/// A reader; many may exist.
#[derive(Clone)]
pub(crate) struct LogReader {
    shared: Arc<Shared>,
}

impl LogReader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Reads a range; with `bytes_max`, perhaps only its beginning, one entry at least.
    async fn read(
        &self,
        range: Range<u64>,
        bytes_max: Option<usize>,
    ) -> io::Result<Vec<EntryOf<TypeConfig>>> {
        let (from_disk, held) = {
            let view = self.shared.view();
            let readable = view.readable();
            let start = range.start.max(readable.start);
            let mut range = start..range.end.min(readable.end).max(start);
            if let Some(bytes_max) = bytes_max {
                range.end = view.bounded_end(range.clone(), bytes_max);
            }
            view.read(range)
        };
        if from_disk.is_empty() {
            return Ok(held);
        }
        let end = from_disk.end;
        let shared = self.shared.clone();
        let read = tokio::task::spawn_blocking(move || shared.engine.read(from_disk, bytes_max));
        let mut entries = read.await.map_err(io::Error::other)??;
        // A read from disk that was cut short ends there: what is held would leave a hole.
        if entries.last().is_none_or(|last| last.index() + 1 == end) {
            entries.extend(held);
        }
        Ok(entries)
    }
}

impl RaftLogReader<TypeConfig> for LogReader {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<EntryOf<TypeConfig>>> {
        let start = match range.start_bound() {
            Bound::Included(start) => *start,
            Bound::Excluded(before) => before + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last + 1,
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        self.read(start..end, None).await
    }

    async fn limited_get_log_entries(
        &mut self,
        start: u64,
        end: u64,
    ) -> io::Result<Vec<EntryOf<TypeConfig>>> {
        let end = end.min(start.saturating_add(LOG_READ_ENTRIES_MAX));
        self.read(start..end, Some(LOG_READ_BYTES_MAX)).await
    }

    async fn read_vote(&mut self) -> io::Result<Option<VoteOf<TypeConfig>>> {
        Ok(self.shared.view().vote)
    }
}
