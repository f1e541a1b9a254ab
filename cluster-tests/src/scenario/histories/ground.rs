//! What the clients of one history share: which keys and devices there are, and what was sealed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use envelope::context::EncryptionContext;

use crate::history::record::Subject;

/// See the module.
#[derive(Default)]
pub(super) struct Ground {
    keys_begun: AtomicUsize,
    devices_begun: AtomicUsize,
    keys: Mutex<Vec<usize>>,
    /// The youngest, since a revoked device is of no more use.
    devices: Mutex<VecDeque<usize>>,
    sealed: Mutex<VecDeque<Sealed>>,
}

/// What a key sealed.
#[derive(Clone)]
pub(super) struct Sealed {
    pub(super) subject: Subject,
    pub(super) context: EncryptionContext,
    pub(super) version: u32,
    pub(super) what: What,
}

/// What it is.
#[derive(Clone)]
pub(super) enum What {
    Blob(Vec<u8>),
    DataKey(Vec<u8>),
}

impl Ground {
    /// A key to be made.
    pub(super) fn new_key(&self) -> usize {
        self.keys_begun.fetch_add(1, Ordering::Relaxed)
    }

    /// A device to be enrolled.
    pub(super) fn new_device(&self) -> usize {
        self.devices_begun.fetch_add(1, Ordering::Relaxed)
    }

    /// Notes that it was made.
    pub(super) fn made(&self, subject: Subject) {
        match subject {
            Subject::Key(key) => self.keys.lock().expect("no task panicked").push(key),
            Subject::Device(device) => {
                let mut devices = self.devices.lock().expect("no task panicked");
                devices.push_back(device);
                if devices.len() > DEVICES_MAX {
                    devices.pop_front();
                }
            }
            Subject::Lease => {}
        }
    }

    /// Some key, once there is one.
    pub(super) fn some_key(&self, random: &mut fastrand::Rng) -> Option<usize> {
        let keys = self.keys.lock().expect("no task panicked");
        random.choice(keys.iter()).copied()
    }

    /// Some device, once there is one.
    pub(super) fn some_device(&self, random: &mut fastrand::Rng) -> Option<usize> {
        let devices = self.devices.lock().expect("no task panicked");
        random.choice(devices.iter()).copied()
    }

    /// Every key that was made.
    pub(super) fn keys(&self) -> Vec<usize> {
        self.keys.lock().expect("no task panicked").clone()
    }

    /// Every device that was enrolled, or asked for.
    pub(super) fn devices(&self) -> std::ops::Range<usize> {
        0..self.devices_begun.load(Ordering::Relaxed)
    }

    /// One thing that was sealed under each version of each subject, of those that are kept.
    pub(super) fn sealed_by_version(&self) -> Vec<Sealed> {
        let all = self.sealed.lock().expect("no task panicked");
        let by_version = |sealed: &Sealed| ((sealed.subject, sealed.version), sealed.clone());
        let first: BTreeMap<_, _> = all.iter().map(by_version).collect();
        first.into_values().collect()
    }

    /// Keeps what was sealed, to be opened later.
    pub(super) fn keep(&self, sealed: Sealed) {
        let mut all = self.sealed.lock().expect("no task panicked");
        all.push_back(sealed);
        if all.len() > SEALED_MAX {
            all.pop_front();
        }
    }

    /// Something that was sealed.
    pub(super) fn some_sealed(&self, random: &mut fastrand::Rng) -> Option<Sealed> {
        let all = self.sealed.lock().expect("no task panicked");
        random.choice(all.iter()).cloned()
    }
}

/// Every fourth key signs, the others encrypt.
pub(super) fn signs(key: usize) -> bool {
    key % 4 == 3
}

const DEVICES_MAX: usize = 6;
const SEALED_MAX: usize = 256;
