//! The gates of every device the KMS knows: shared by the control runtime, which tells them, and
//! by all data threads, whose flows enter through them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use kms_client::model::ContainLevel;
use tokio::sync::Notify;

use super::Closed;
use super::gate::{DeviceGate, Standing};
use super::lease::Lease;
use super::pass::Pass;
use crate::ids::{DeviceId, ServiceName};
use crate::limits::DEVICES_MAX;
use crate::measure;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Gates(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    lease: Arc<Lease>,
    /// At most [`DEVICES_MAX`].
    by_device: RwLock<HashMap<DeviceId, Arc<DeviceGate>>>,
    /// Devices with orders that are not acknowledged yet: a part of the ones above.
    owing: Mutex<BTreeSet<DeviceId>>,
    /// Something may be due: one waiter.
    news: Arc<Notify>,
}

impl Gates {
    /// The lease that all of them stand under.
    pub fn lease(&self) -> &Arc<Lease> {
        &self.0.lease
    }

    /// Lets a flow of this device in.
    ///
    /// # Errors
    /// [`Closed::NoLease`] when nothing is known of the device, or its time has run out;
    /// [`Closed::Contained`] when an order forbids the flow.
    pub fn enter(&self, device: &DeviceId, service: &ServiceName) -> Result<Pass, Closed> {
        let gate = self.find(device).ok_or(Closed::NoLease)?;
        gate.enter(service)
    }

    /// Whether the device is known, and may be served at this time as far as no order forbids it.
    pub fn is_in_time(&self, device: &DeviceId) -> bool {
        let gate = self.find(device);
        gate.is_some_and(|gate| gate.standing().is_some() && gate.check_time().is_ok())
    }

    /// Takes up how one device stands, unless something newer is known. Answers whether anything
    /// has changed.
    pub fn apply(&self, device: &DeviceId, standing: Standing) -> bool {
        let Some(gate) = self.find_or_make(device) else {
            return false;
        };
        let known = gate.standing();
        if known.is_some_and(|known| known.revision > standing.revision) {
            return false;
        }
        self.apply_to(&gate, standing)
    }

    /// Takes up how all devices stand, and forgets those that are not among them. Answers whether
    /// anything has changed.
    pub fn replace(&self, standings: HashMap<DeviceId, Standing>) -> bool {
        let mut changed = false;
        for gate in self.all() {
            if !standings.contains_key(gate.device()) && gate.standing().is_some() {
                gate.forget();
                changed = true;
            }
        }
        for (device, standing) in standings {
            if let Some(gate) = self.find_or_make(&device) {
                changed |= self.apply_to(&gate, standing);
            }
        }
        changed
    }

    /// How each device stands.
    pub fn standings(&self) -> Vec<(DeviceId, Standing)> {
        let standing = |gate: &Arc<DeviceGate>| Some((gate.device().clone(), gate.standing()?));
        self.all().iter().filter_map(standing).collect()
    }

    /// What is given here outlives a restart: orders up to these may be acknowledged.
    pub fn kept(&self, standings: &[(DeviceId, Standing)]) {
        for (device, standing) in standings {
            if let Some(gate) = self.find(device) {
                gate.kept(standing.epoch);
            }
        }
        self.0.news.notify_one();
    }

    /// The orders that can be acknowledged now: nothing they forbid is forwarded here any more.
    pub fn due(&self) -> Vec<(DeviceId, u64)> {
        let owing = self.owing().clone();
        let due = |device: DeviceId| {
            let epoch = self.find(&device)?.due()?;
            Some((device, epoch))
        };
        owing.into_iter().filter_map(due).collect()
    }

    /// The KMS knows that this order is obeyed here.
    pub fn acknowledged(&self, device: &DeviceId, epoch: u64) {
        // Held over both, so that an order that comes in between is not lost.
        let mut owing = self.owing();
        let Some(gate) = self.find(device) else {
            owing.remove(device);
            return;
        };
        gate.acknowledged(epoch);
        if !gate.owes() {
            owing.remove(device);
        }
    }

    /// Returns when something more may be due. For one waiter at a time.
    pub async fn news(&self) {
        self.0.news.notified().await;
    }

    /// Flows that have entered and not left.
    pub fn live_flows(&self) -> usize {
        self.all().iter().map(|gate| gate.live_flows()).sum()
    }

    /// Cuts the flows of devices whose time has run out, and counts.
    pub fn sweep(&self) {
        let mut counts = [0_u32; LEVELS.len()];
        for gate in self.all() {
            gate.sweep();
            if let Some(level) = gate.level() {
                counts[level as usize] += 1;
            }
        }
        for (level, count) in LEVELS.into_iter().zip(counts) {
            measure::devices(level, count);
        }
    }

    fn apply_to(&self, gate: &DeviceGate, standing: Standing) -> bool {
        let changed = gate.apply(standing);
        if changed && gate.owes() {
            self.owing().insert(gate.device().clone());
            self.0.news.notify_one();
        }
        changed
    }

    fn find(&self, device: &DeviceId) -> Option<Arc<DeviceGate>> {
        let by_device = self.0.by_device.read();
        let by_device = by_device.unwrap_or_else(PoisonError::into_inner);
        by_device.get(device).cloned()
    }

    fn find_or_make(&self, device: &DeviceId) -> Option<Arc<DeviceGate>> {
        if let Some(gate) = self.find(device) {
            return Some(gate);
        }
        let by_device = self.0.by_device.write();
        let mut by_device = by_device.unwrap_or_else(PoisonError::into_inner);
        if by_device.len() >= DEVICES_MAX {
            tracing::error!(%device, "there are more devices than {DEVICES_MAX}; it is not served");
            return None;
        }
        let (lease, news) = (Arc::clone(&self.0.lease), Arc::clone(&self.0.news));
        let make = || Arc::new(DeviceGate::new(device.clone(), lease, news));
        Some(Arc::clone(
            by_device.entry(device.clone()).or_insert_with(make),
        ))
    }

    fn all(&self) -> Vec<Arc<DeviceGate>> {
        let by_device = self.0.by_device.read();
        let by_device = by_device.unwrap_or_else(PoisonError::into_inner);
        by_device.values().cloned().collect()
    }

    fn owing(&self) -> MutexGuard<'_, BTreeSet<DeviceId>> {
        self.0.owing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In the order of their values.
const LEVELS: [ContainLevel; 5] = [
    ContainLevel::None,
    ContainLevel::Observe,
    ContainLevel::Restrict,
    ContainLevel::Isolate,
    ContainLevel::Revoke,
];
