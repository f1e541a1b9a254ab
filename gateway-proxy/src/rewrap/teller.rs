//! What the KMS was told, and what is to be told next: only what is new, a bounded part at a time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use envelope::id::{KeyId, SegmentId};
use kms_client::model::{ArchiveReport, CensusRange, ToldRewrap};

use super::limits::{REPORT_KEYS, REPORT_RANGES};

/// What lies under which versions, for each key.
pub(super) type Census = BTreeMap<KeyId, Vec<CensusRange>>;

/// Remembers what was told in this session.
pub(super) struct Teller {
    session: [u8; 16],
    keys: Census,
    rewraps: BTreeMap<KeyId, ToldRewrap>,
    /// Whether the whole was told, and how many side-cars were damaged.
    archive: Option<(bool, u32)>,
    at: Option<Instant>,
}

impl Teller {
    /// Begins a session: nothing was told.
    pub(super) fn new() -> Self {
        Self {
            session: *SegmentId::random().as_bytes(),
            keys: Census::new(),
            rewraps: BTreeMap::new(),
            archive: None,
            at: None,
        }
    }

    /// What is to be told now; none when all of it was told, not longer ago than `confirm`.
    pub(super) fn report(
        &self,
        census: &Census,
        damaged: u32,
        rewraps: Vec<ToldRewrap>,
        now: Instant,
        confirm: Duration,
    ) -> Option<ArchiveReport> {
        let gone = self.keys.keys().filter(|key| !census.contains_key(*key));
        let gone = gone.map(|key| (*key, Vec::new()));
        let changed = census
            .iter()
            .filter(|(key, ranges)| self.keys.get(*key) != Some(*ranges));
        let changed = changed.map(|(key, ranges)| (*key, ranges.clone()));
        let (keys, whole) = fitting(gone.chain(changed));
        let is_new = |told: &ToldRewrap| self.rewraps.get(&told.key_id) != Some(told);
        let rewraps: Vec<_> = rewraps.into_iter().filter(is_new).collect();
        let same = keys.is_empty() && rewraps.is_empty() && self.archive == Some((whole, damaged));
        let lately = self
            .at
            .is_some_and(|at| now.saturating_duration_since(at) < confirm);
        (!(same && lately)).then_some(ArchiveReport {
            session: self.session,
            whole,
            damaged,
            keys,
            rewraps,
        })
    }

    /// Notes that the KMS has taken a report.
    pub(super) fn told(&mut self, report: ArchiveReport, now: Instant) {
        for (key, ranges) in report.keys {
            match ranges.is_empty() {
                true => drop(self.keys.remove(&key)),
                false => drop(self.keys.insert(key, ranges)),
            }
        }
        for told in report.rewraps {
            self.rewraps.insert(told.key_id, told);
        }
        self.archive = Some((report.whole, report.damaged));
        self.at = Some(now);
    }
}

/// As much as one report has room for, and whether that is all.
fn fitting(
    all: impl Iterator<Item = (KeyId, Vec<CensusRange>)>,
) -> (Vec<(KeyId, Vec<CensusRange>)>, bool) {
    let (mut keys, mut ranges) = (Vec::new(), 0);
    for (key, told) in all {
        ranges += told.len();
        if keys.len() == REPORT_KEYS || ranges > REPORT_RANGES {
            return (keys, false);
        }
        keys.push((key, told));
    }
    (keys, true)
}
