//! A pinned point: lets a snapshot be built while apply goes on.
//!
//! Apply keeps the first former value of whatever it overwrites ahead of the builder; the builder
//! walks the live index in order and takes a former value where there is one. So neither waits
//! for the other, and only what changes meanwhile is held twice.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Applied, Index, Record, RecordId};

/// One pinned point; it ends when the builder drops it.
#[derive(Debug)]
pub(crate) struct Pin {
    /// Where it was pinned.
    pub(crate) applied: Applied,
    progress: Mutex<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    /// Everything up to this id has been taken.
    taken: Option<RecordId>,
    /// The first former value of each record that changed beyond `taken`; `None`: was not there.
    former: BTreeMap<RecordId, Option<Record>>,
    /// The index that was live, if it has been replaced as a whole.
    replaced: Option<Arc<Index>>,
}

impl Pin {
    pub(super) fn new(applied: Applied) -> Self {
        Self {
            applied,
            progress: Mutex::default(),
        }
    }

    /// Keeps a former value, if the builder still needs it. Called with the index locked.
    pub(super) fn keep(&self, id: &RecordId, former: Option<&Record>) {
        let mut progress = self.progress();
        let passed = progress.taken.as_ref().is_some_and(|taken| id <= taken);
        if !passed && progress.replaced.is_none() && !progress.former.contains_key(id) {
            progress.former.insert(id.clone(), former.cloned());
        }
    }

    /// Goes on over the old index, which is live no longer.
    pub(super) fn keep_all(&self, old: &Arc<Index>) {
        self.progress().replaced.get_or_insert_with(|| old.clone());
    }

    /// Takes the next records in order, at most `max` and perhaps none: also a record that was not
    /// there yet counts, for `live` is locked meanwhile. `None` at the end.
    pub(super) fn take(&self, live: &Index, max: usize) -> Option<Vec<(RecordId, Record)>> {
        let mut progress = self.progress();
        let replaced = progress.replaced.clone();
        let live = replaced.as_deref().unwrap_or(live);
        let mut page = Vec::new();
        for step in 0..max {
            let Some((id, record)) = progress.next(live) else {
                return (step > 0).then_some(page);
            };
            progress.former.remove(&id);
            progress.taken = Some(id.clone());
            page.extend(record.map(|record| (id, record)));
        }
        Some(page)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        // A panic elsewhere cannot leave a half-made step: each is one insertion.
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// The next id in either, and its value at the pinned point.
    fn next(&self, live: &Index) -> Option<(RecordId, Option<Record>)> {
        let after = self
            .taken
            .as_ref()
            .map_or(Bound::Unbounded, Bound::Excluded);
        let former = self.former.range((after, Bound::Unbounded)).next();
        let live = live.range_after(self.taken.as_ref()).next();
        match (former, live) {
            (Some((id, value)), Some((live_id, _))) if id <= live_id => {
                Some((id.clone(), value.clone()))
            }
            (Some((id, value)), None) => Some((id.clone(), value.clone())),
            (_, Some((id, record))) => Some((id.clone(), Some(record.clone()))),
            (None, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_only_since_is_passed_over_a_page_at_a_time() {
        let pin = Pin::new(Applied::default());
        let mut live = Index::default();
        for number in 0..25 {
            let id = RecordId::Acknowledgement(format!("{number:02}"), String::new());
            pin.keep(&id, live.get(&id));
            live.put(id, Some(Record::Acknowledgement(1)));
        }
        let mut pages = 0;
        while let Some(page) = pin.take(&live, 10) {
            assert!(page.is_empty());
            pages += 1;
        }
        assert_eq!(pages, 3);
    }
}
