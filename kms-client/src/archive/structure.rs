//! Checks an archive without keys: checksums, beginnings and ends, side-cars.

use std::collections::HashMap;

use envelope::id::{FlowId, ObjectId};
use envelope::segment::{Entry, Fragment};

use super::Archive;
use super::files::SideCars;
use super::object::{Begun, Place};
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
    /// Gaps that are recorded.
    pub gaps: u64,
}

impl Structure {
    /// Whether nothing is missing or damaged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.orphans == 0 && self.keyless == 0 && self.damaged == 0
    }
}

impl Archive {
    /// Checks every checksum, and that each object has its beginning and its data key.
    ///
    /// # Errors
    ///
    /// `STORAGE` when the folder cannot be read.
    pub fn verify_structure(&self) -> Result<Structure> {
        let mut walk = Walk::new(&self.dir)?;
        let mut check = Check {
            found: Structure::default(),
            open: HashMap::new(),
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
    open: HashMap<ObjectId, FlowId>,
    side_cars: SideCars,
}

impl Check {
    fn entry(&mut self, place: Place, entry: &Entry<'_>) {
        self.found.entries += 1;
        match entry {
            Entry::Fragment(fragment) => self.fragment(place, fragment),
            Entry::FlowClosed(flow, _) => {
                let before = self.open.len();
                self.open.retain(|_, of| of != flow);
                self.found.truncated += (before - self.open.len()) as u64;
            }
            Entry::Gap(..) => self.found.gaps += 1,
            Entry::FlowOpened(..) | Entry::Mark(_) => {}
        }
    }

    fn fragment(&mut self, place: Place, fragment: &Fragment<'_>) {
        if fragment.first
            && let Some(begun) = Begun::parse(fragment.object, fragment.bytes, place)
        {
            let key = self.side_cars.find(place.sequence, &begun.info.data_key_id);
            self.found.keyless += u64::from(!matches!(key, Ok(Some(_))));
            self.open.insert(fragment.object, begun.info.flow);
        }
        if !self.open.contains_key(&fragment.object) {
            self.found.orphans += 1;
        } else if fragment.trailer.is_some() {
            self.open.remove(&fragment.object);
            self.found.objects += 1;
        }
    }
}
