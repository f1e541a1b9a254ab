//! What a command changes: collected by its `apply`, carried out by the state machine at once.

use crate::state::{Record, RecordId};

/// One change: the record that shall stand there, or none.
pub(crate) type Write = (RecordId, Option<Record>);

/// Changes, each id at most once; a later one replaces an earlier one.
#[derive(Debug, Default)]
pub(crate) struct Writes(Vec<Write>);

impl Writes {
    /// Puts a record.
    pub(crate) fn put(&mut self, id: RecordId, record: Record) {
        self.set(id, Some(record));
    }

    /// Removes a record.
    pub(crate) fn remove(&mut self, id: RecordId) {
        self.set(id, None);
    }

    /// Whether the record at `id` is changed.
    pub(crate) fn touches(&self, id: &RecordId) -> bool {
        self.0.iter().any(|(written, _)| written == id)
    }

    /// The changes.
    pub(crate) fn into_vec(self) -> Vec<Write> {
        self.0
    }

    fn set(&mut self, id: RecordId, record: Option<Record>) {
        match self.0.iter_mut().find(|(written, _)| *written == id) {
            Some((_, former)) => *former = record,
            None => self.0.push((id, record)),
        }
    }
}
