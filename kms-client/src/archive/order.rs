//! Puts objects, which end in any order, into the order in which they began. Called by the list.

use std::collections::{HashMap, VecDeque};

use envelope::id::{FlowId, ObjectId};
use envelope::segment::{Fragment, Trailer};

use super::object::{Begun, ObjectInfo};

/// Objects from the oldest that is still open on.
#[derive(Debug, Default)]
pub(super) struct Order {
    slots: VecDeque<Slot>,
    /// The number of the slot at the front; numbers never repeat.
    front: u64,
    /// Open objects, by the number of their slot.
    open: HashMap<ObjectId, u64>,
}

#[derive(Debug)]
enum Slot {
    Open(Box<Begun>),
    Ended(Box<ObjectInfo>),
    /// Not to be listed.
    Passed,
}

impl Order {
    /// Takes the object at the front, once it has ended.
    pub(super) fn release(&mut self) -> Option<ObjectInfo> {
        while !matches!(self.slots.front(), None | Some(Slot::Open(_))) {
            let slot = self.slots.pop_front();
            self.front += 1;
            if let Some(Slot::Ended(info)) = slot {
                return Some(*info);
            }
        }
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub(super) fn begin(&mut self, begun: Begun) {
        let number = self.front + self.slots.len() as u64;
        self.open.insert(begun.info.object_id, number);
        self.slots.push_back(Slot::Open(Box::new(begun)));
    }

    pub(super) fn goes_on(&mut self, fragment: &Fragment<'_>) {
        if let Some(Slot::Open(begun)) = self.slot(&fragment.object) {
            begun.sealed_bytes += fragment.bytes.len() as u64;
        }
    }

    pub(super) fn end(&mut self, object: &ObjectId, trailer: Trailer) {
        if let Some(slot) = self.slot(object)
            && let Slot::Open(begun) = slot
        {
            let mut info = begun.info.clone();
            info.bytes = trailer.plaintext_bytes;
            info.complete = trailer.complete;
            *slot = Slot::Ended(Box::new(info));
        }
        self.open.remove(object);
    }

    /// What of a flow has not ended when it closes was cut by an unclean stop.
    pub(super) fn flow_closed(&mut self, flow: FlowId) {
        let of_flow: Vec<ObjectId> = self
            .open
            .iter()
            .filter(|(_, number)| self.is_of(**number, flow))
            .map(|(object, _)| *object)
            .collect();
        for object in of_flow {
            if let Some(slot) = self.slot(&object)
                && let Slot::Open(begun) = slot
            {
                let info = begun.as_ref().clone().truncated();
                let readable = info.bytes > 0;
                *slot = if readable {
                    Slot::Ended(Box::new(info))
                } else {
                    Slot::Passed
                };
            }
            self.open.remove(&object);
        }
    }

    /// At the end of the archive: what is still open is not there yet.
    pub(super) fn pass_open(&mut self) {
        for slot in &mut self.slots {
            if matches!(slot, Slot::Open(_)) {
                *slot = Slot::Passed;
            }
        }
        self.open.clear();
    }

    fn is_of(&self, number: u64, flow: FlowId) -> bool {
        let at = usize::try_from(number - self.front).ok();
        let slot = at.and_then(|at| self.slots.get(at));
        matches!(slot, Some(Slot::Open(begun)) if begun.info.flow == flow)
    }

    fn slot(&mut self, object: &ObjectId) -> Option<&mut Slot> {
        let number = *self.open.get(object)?;
        self.slots
            .get_mut(usize::try_from(number - self.front).ok()?)
    }
}
