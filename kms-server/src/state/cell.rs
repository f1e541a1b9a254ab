//! The live state: the memory index behind its lock, who is told of changes, and who has pinned it.
//!
//! Written by the state machine alone; read by everyone through the replica.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak,
};

use tokio::sync::{broadcast, watch};

use super::pin::Pin;
use super::{Applied, Index, Record, RecordId};
use crate::command::Write;
use crate::replica::limits::CHANGES_MAX;
use crate::replica::{Change, Event};

/// The live state of a replica.
#[derive(Debug)]
pub(crate) struct StateCell {
    index: RwLock<Index>,
    applied: watch::Sender<u64>,
    /// No device changed after this index; one may have changed at it.
    devices_index: AtomicU64,
    changes: broadcast::Sender<Change>,
    pins: Mutex<Vec<Weak<Pin>>>,
}

impl StateCell {
    /// The state as it was found on disk.
    pub(crate) fn new(index: Index, applied: &Applied) -> Self {
        Self {
            index: RwLock::new(index),
            applied: watch::Sender::new(applied.index()),
            devices_index: AtomicU64::new(applied.index()),
            changes: broadcast::Sender::new(CHANGES_MAX),
            pins: Mutex::default(),
        }
    }

    /// Reads the index.
    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
        // Writers only insert and remove whole records: a panic leaves none half-made.
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the index goes at least: entries are in it before this is published.
    pub(crate) fn applied_index(&self) -> u64 {
        *self.applied.borrow()
    }

    /// Where a device changed last, or later.
    pub(crate) fn devices_index(&self) -> u64 {
        self.devices_index.load(Ordering::Acquire)
    }

    /// Follows how far the index goes.
    pub(crate) fn watch_applied(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }

    /// Follows what changes.
    pub(crate) fn watch_changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Carries out what the entry at `log_index` changed, and answers the changes. They have to be
    /// [published](Self::publish).
    pub(crate) fn put(&self, writes: Vec<Write>, log_index: u64) -> Vec<Change> {
        let mut events: Vec<Event> = writes.iter().filter_map(|(id, _)| event_of(id)).collect();
        // A device's record and its containment may change at once; that is one change of it.
        events.dedup();
        if events.iter().any(|event| matches!(event, Event::Device(_))) {
            self.devices_index.store(log_index, Ordering::Release);
        }
        // Points are pinned in order with this. A pin may go with its last holder here: it goes
        // after the lock, for it may have a whole index to free.
        let pins = self.live_pins();
        let mut index = self.index_mut();
        for (id, record) in writes {
            for pin in &pins {
                pin.keep(&id, index.get(&id));
            }
            index.put(id, record);
        }
        let change = |event| Change {
            index: log_index,
            event,
        };
        events.into_iter().map(change).collect()
    }

    /// Tells of the changes up to `log_index`, then publishes that: who sees an index has been told
    /// of everything up to it. The store on disk has it already.
    pub(crate) fn publish(&self, changes: Vec<Change>, log_index: u64) {
        for change in changes {
            // Without a receiver nobody caches anything.
            drop(self.changes.send(change));
        }
        self.applied.send_replace(log_index);
    }

    /// Replaces the whole state by a snapshot's.
    pub(crate) fn replace(&self, new: Index, applied: &Applied) {
        let old = {
            let mut index = self.index_mut();
            let old = Arc::new(std::mem::replace(&mut *index, new));
            for pin in self.live_pins() {
                pin.keep_all(&old);
            }
            old
        };
        self.devices_index.store(applied.index(), Ordering::Release);
        // Freeing a large index takes long: readers do not wait for it.
        drop(old);
        let change = Change {
            index: applied.index(),
            event: Event::Everything,
        };
        self.publish(vec![change], applied.index());
    }

    /// Pins the present point, which is `applied`.
    pub(crate) fn pin(&self, applied: Applied) -> Arc<Pin> {
        let pin = Arc::new(Pin::new(applied));
        self.pins().push(Arc::downgrade(&pin));
        pin
    }

    /// Takes the next records of a pinned point, at most `max` and perhaps none; `None` at the end.
    pub(crate) fn take_pinned(&self, pin: &Pin, max: usize) -> Option<Vec<(RecordId, Record)>> {
        let index = self.index();
        pin.take(&index, max)
    }

    fn live_pins(&self) -> Vec<Arc<Pin>> {
        let mut pins = self.pins();
        pins.retain(|pin| pin.strong_count() > 0);
        pins.iter().filter_map(Weak::upgrade).collect()
    }

    fn pins(&self) -> MutexGuard<'_, Vec<Weak<Pin>>> {
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a change of this record is called outside, if anyone outside cares.
fn event_of(id: &RecordId) -> Option<Event> {
    match id {
        RecordId::Key(key_id) => Some(Event::Key(*key_id)),
        RecordId::Device(device_id) | RecordId::Containment(device_id) => {
            Some(Event::Device(device_id.clone()))
        }
        RecordId::Acknowledgement(device_id, _) => Some(Event::Acknowledged(device_id.clone())),
        RecordId::FormerGateway(gateway_id) => Some(Event::FormerGateway(gateway_id.clone())),
        RecordId::Policy(_) => Some(Event::Policy),
        RecordId::Gateway(gateway_id) => Some(Event::Gateway(gateway_id.clone())),
        RecordId::Identity(role, id) => Some(Event::Identity(*role, id.clone())),
        RecordId::Counters
        | RecordId::Cluster
        | RecordId::KeyVersion(..)
        | RecordId::KeyName(_)
        | RecordId::Node(_)
        | RecordId::Token(_)
        | RecordId::Idempotency(_)
        | RecordId::IdempotencyExpiry(..)
        | RecordId::AuditTrail(_)
        | RecordId::KeyTraits(_)
        | RecordId::PublicKey(..)
        | RecordId::KeyLabels(_)
        | RecordId::Alias(_)
        | RecordId::KeyAlias(..)
        | RecordId::KeyRotation(_)
        | RecordId::RotationDue(..)
        | RecordId::Import(_)
        | RecordId::ImportExpiry(..)
        | RecordId::KeyOrigin(_)
        | RecordId::ImportedMaterial(_)
        | RecordId::Quota(..)
        | RecordId::Approval(_)
        | RecordId::ApprovalExpiry(..)
        | RecordId::TokenMakers(_)
        | RecordId::Inviters(..)
        | RecordId::PolicyEnd(_)
        | RecordId::PolicyEnding(..)
        | RecordId::DeletedPolicy(_)
        | RecordId::Rewrap(_)
        | RecordId::RunningRewrap(_)
        | RecordId::RewrapProgress(..)
        | RecordId::ArchiveReport(_)
        | RecordId::KeyCensus(..) => None,
    }
}
