//! Checks an archive without keys: checksums, beginnings and ends, side-cars.

use std::collections::HashMap;

use envelope::id::{FlowId, ObjectId};
use envelope::segment::{Entry, Fragment, GapCause, Range, UNKNOWN_OFFSET};

use super::Archive;
use super::files::SideCars;
use super::object::{Begun, Direction, Place};
use super::walk::Walk;
use crate::Result;

/// What a check without keys found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Structure {
    /// Entries with the right checksum.
    pub entries: u64,
    /// Objects that have ended.
    pub objects: u64,
    /// Objects that lack their end because the gateway was stopped in them.
    pub truncated: u64,
    /// Objects that are still open.
    pub open: u64,
    /// Fragments of objects that do not begin in this archive.
    pub orphans: u64,
    /// Objects whose data key is in no side-car.
    pub keyless: u64,
    /// Places that could not be read.
    pub damaged: u64,
    /// Places where the objects and gaps of a flow's direction do not join, or not up to its end.
    pub uncovered: u64,
    /// Gaps that are recorded.
    pub gaps: u64,
}

impl Structure {
    /// Whether nothing is missing or damaged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.orphans == 0 && self.keyless == 0 && self.damaged == 0 && self.uncovered == 0
    }
}

impl Archive {
    /// Checks every checksum, that each object has its beginning and its data key, that no segment
    /// is missing between others, and that the objects and gaps of each flow are all its bytes.
    ///
    /// # Errors
    ///
    /// `STORAGE` when the folder cannot be read.
    pub fn verify_structure(&self) -> Result<Structure> {
        let mut walk = Walk::new(&self.dir)?;
        let mut check = Check {
            found: Structure::default(),
            open: HashMap::new(),
            flows: HashMap::new(),
            side_cars: SideCars::new(&self.dir),
        };
        loop {
            match walk.step() {
                Ok(Some(place)) => check.entry(place, &walk.entry()),
                Ok(None) => break,
                Err(_) => check.found.damaged += 1,
            }
        }
        check.found.open = check.open.len() as u64;
        Ok(check.found)
    }
}

struct Check {
    found: Structure,
    open: HashMap<ObjectId, (FlowId, usize)>,
    /// Of each open flow, up to where its directions are in objects and gaps.
    flows: HashMap<FlowId, [u64; 2]>,
    side_cars: SideCars,
}

impl Check {
    fn entry(&mut self, place: Place, entry: &Entry<'_>) {
        self.found.entries += 1;
        match entry {
            Entry::Fragment(fragment) => self.fragment(place, fragment),
            Entry::FlowClosed(flow, closed) => {
                for (side, bytes) in closed.bytes.into_iter().enumerate() {
                    self.joins(*flow, side, |covered| {
                        covered == bytes || covered == UNKNOWN_OFFSET
                    });
                }
                self.flows.remove(flow);
                let before = self.open.len();
                self.open.retain(|_, (of, _)| of != flow);
                self.found.truncated += (before - self.open.len()) as u64;
            }
            Entry::Gap(flow, gap) => {
                self.found.gaps += 1;
                for (side, range) in gap.ranges.iter().enumerate() {
                    self.gap(*flow, side, *range, gap.cause);
                }
            }
            Entry::FlowOpened(flow, opened) => {
                if opened.carried {
                    for (side, begins) in opened.covered.into_iter().enumerate() {
                        self.joins(*flow, side, |covered| covered == begins);
                    }
                }
                self.flows.insert(*flow, opened.covered);
            }
            Entry::Mark(_) => {}
        }
    }

    fn gap(&mut self, flow: FlowId, side: usize, range: Range, cause: GapCause) {
        if range.is_empty() {
            return;
        }
        // Behind an object that an unclean stop cut, the gap begins after its last whole chunk.
        let cut =
            cause == GapCause::UncleanStop && self.open.values().any(|open| *open == (flow, side));
        self.joins(flow, side, |covered| {
            range.from == covered || (cut && range.from > covered)
        });
        self.cover(flow, side, range.to);
    }

    /// Counts where what comes next does not begin at the end of what is covered.
    fn joins(&mut self, flow: FlowId, side: usize, joins: impl FnOnce(u64) -> bool) {
        let covered = self.flows.get(&flow).map(|covered| covered[side]);
        self.found.uncovered += u64::from(covered.is_some_and(|covered| !joins(covered)));
    }

    fn cover(&mut self, flow: FlowId, side: usize, to: u64) {
        if let Some(covered) = self.flows.get_mut(&flow) {
            covered[side] = to;
        }
    }

    fn fragment(&mut self, place: Place, fragment: &Fragment<'_>) {
        if fragment.first
            && let Some(begun) = Begun::parse(fragment.object, fragment.bytes, place)
        {
            let key = self.side_cars.find(place.sequence, &begun.info.data_key_id);
            self.found.keyless += u64::from(!matches!(key, Ok(Some(_))));
            let (flow, offset) = (begun.info.flow, begun.info.offset);
            let side = match begun.info.direction {
                Direction::ToService => 0,
                Direction::ToDevice => 1,
            };
            self.joins(flow, side, |covered| covered == offset);
            self.cover(flow, side, offset);
            self.open.insert(fragment.object, (flow, side));
        }
        let Some((flow, side)) = self.open.get(&fragment.object).copied() else {
            self.found.orphans += 1;
            return;
        };
        if let Some(trailer) = fragment.trailer {
            let begins = self.flows.get(&flow).map_or(0, |covered| covered[side]);
            self.cover(flow, side, begins.saturating_add(trailer.plaintext_bytes));
            self.open.remove(&fragment.object);
            self.found.objects += 1;
        }
    }
}
