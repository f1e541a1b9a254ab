//! What a command changes: collected by its `apply`, carried out by the state machine at once.

use crate::state::{Record, RecordId};

/// Records to put and ids to remove, each id at most once.
#[derive(Debug, Default)]
pub(crate) struct Writes {
    pairs: Vec<(RecordId, Option<Record>)>,
}

impl Writes {
    /// Puts a record.
    pub(crate) fn put(&mut self, id: RecordId, record: Record) {
        self.pairs.push((id, Some(record)));
    }

    /// Removes a record.
    pub(crate) fn remove(&mut self, id: RecordId) {
        self.pairs.push((id, None));
    }

    /// The pairs, in the order they were written.
    pub(crate) fn into_pairs(self) -> Vec<(RecordId, Option<Record>)> {
        self.pairs
    }

    /// The pairs, to be looked at.
    pub(crate) fn pairs(&self) -> &[(RecordId, Option<Record>)] {
        &self.pairs
    }
}
