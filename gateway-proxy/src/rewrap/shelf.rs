//! What lies where in the archive: closed side-cars are read once and counted, the open one is read
//! at each look. No more of them is kept in memory than their numbers and the counts.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Instant;

use envelope::id::{KeyId, KeyVersion};
use envelope::segment::{SideCar, side_car_name};
use kms_client::model::CensusRange;

use super::limits::RANGES_MAX;
use super::side_car::{self, Counts, Found};
use crate::archive::Segments;

/// The side-cars.
pub(super) struct Shelf {
    /// None without an archive.
    segments: Option<Segments>,
    /// Segments that the archive writes no more, and were counted.
    closed: BTreeSet<u64>,
    in_closed: Counts,
    /// Of the segment that is written.
    in_open: Counts,
    /// Those that could not be read, and when to look again.
    damaged: BTreeMap<u64, Instant>,
    /// Whether everything was counted.
    whole: bool,
}

/// Wrapped data keys under older versions than a job's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) closed: u64,
    pub(super) open: u64,
}

impl Shelf {
    pub(super) fn new(segments: Option<Segments>) -> Self {
        Self {
            whole: segments.is_none(),
            segments,
            closed: BTreeSet::new(),
            in_closed: Counts::new(),
            in_open: Counts::new(),
            damaged: BTreeMap::new(),
        }
    }

    pub(super) fn segments(&self) -> Option<&Segments> {
        self.segments.as_ref()
    }

    /// Whether everything that is there was counted.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Side-cars that cannot be read.
    pub(super) fn damaged(&self) -> u32 {
        u32::try_from(self.damaged.len()).unwrap_or(u32::MAX)
    }

    /// The closed side-cars from this one on.
    pub(super) fn closed_from(&self, sequence: u64) -> Option<u64> {
        self.closed.range(sequence..).next().copied()
    }

    /// Looks what is new. `again` is when damaged ones are looked at next; `stops` ends it early.
    ///
    /// # Errors
    /// What the file system answers; what is known then is not the whole.
    pub(super) fn refresh(
        &mut self,
        now: Instant,
        again: Instant,
        stops: impl Fn() -> bool,
    ) -> io::Result<()> {
        let Some(segments) = self.segments.clone() else {
            return Ok(());
        };
        // Before looking: what is closed now stays as it is.
        let open_from = segments.open_from();
        if open_from == 0 {
            return Ok(());
        }
        self.whole = false;
        let there: BTreeSet<u64> = side_car::sequences(segments.dir())?.into_iter().collect();
        if !self.closed.is_subset(&there) {
            // Something was taken away; what lay in it is known only by what is left.
            self.closed.clear();
            self.in_closed.clear();
        }
        self.damaged.retain(|sequence, _| there.contains(sequence));
        self.in_open.clear();
        for sequence in there {
            if stops() {
                return Ok(());
            }
            let looked_at = self.closed.contains(&sequence)
                || self.damaged.get(&sequence).is_some_and(|next| *next > now);
            if looked_at {
                continue;
            }
            self.count(&segments, sequence, sequence < open_from, again)?;
        }
        self.whole = true;
        Ok(())
    }

    fn count(
        &mut self,
        segments: &Segments,
        sequence: u64,
        is_closed: bool,
        again: Instant,
    ) -> io::Result<()> {
        let found = side_car::read(&segments.dir().join(side_car_name(sequence)))?;
        let Found::Whole(side_car) = found else {
            self.note_damage(sequence, again);
            return Ok(());
        };
        let counts = match is_closed {
            true => &mut self.in_closed,
            false => &mut self.in_open,
        };
        match side_car::add(&side_car, counts) {
            true => {
                self.damaged.remove(&sequence);
            }
            // What could be read of it was counted.
            false => self.note_damage(sequence, again),
        }
        if is_closed {
            self.closed.insert(sequence);
        }
        Ok(())
    }

    /// Notes that a side-car cannot be read.
    pub(super) fn note_damage(&mut self, sequence: u64, again: Instant) {
        if self.damaged.insert(sequence, again).is_none() {
            tracing::error!(sequence, "a side-car is missing or damaged: restore it");
        }
    }

    /// Notes that a closed side-car was replaced.
    pub(super) fn replaced(&mut self, before: &SideCar, after: &SideCar) {
        side_car::take_away(before, &mut self.in_closed);
        side_car::add(after, &mut self.in_closed);
    }

    /// Nobody knows what a side-car holds now; it is counted again at the next look.
    pub(super) fn recount(&mut self, sequence: u64, before: &SideCar) {
        side_car::take_away(before, &mut self.in_closed);
        self.closed.remove(&sequence);
    }

    /// How many data keys of a key lie under older versions than `target`.
    pub(super) fn left(&self, key_id: KeyId, target: KeyVersion) -> Left {
        let older = |counts: &Counts| {
            let range = (key_id, KeyVersion(0))..(key_id, target);
            counts.range(range).map(|(_, count)| count).sum()
        };
        Left {
            closed: older(&self.in_closed),
            open: older(&self.in_open),
        }
    }

    /// What lies under which versions, for each key.
    pub(super) fn census(&self) -> BTreeMap<KeyId, Vec<CensusRange>> {
        let mut all = self.in_closed.clone();
        for (under, count) in &self.in_open {
            *all.entry(*under).or_default() += count;
        }
        let mut census: BTreeMap<KeyId, Vec<CensusRange>> = BTreeMap::new();
        for ((key_id, version), count) in all {
            let ranges = census.entry(key_id).or_default();
            let is_full = ranges.len() >= RANGES_MAX;
            match ranges.last_mut().filter(|_| is_full) {
                Some(last) => {
                    last.last = version;
                    last.count += count;
                }
                None => ranges.push(CensusRange {
                    first: version,
                    last: version,
                    count,
                }),
            }
        }
        census
    }
}
