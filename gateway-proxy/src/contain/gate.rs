//! One device's gate: what is ordered for it, until when that may be acted on, and the flows that
//! are live. Kept by [`super::Gates`].

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kms_client::model::ContainLevel;
use tokio::sync::Notify;

use super::Closed;
use super::lease::{Lease, nanoseconds};
use super::pass::{Pass, Stop};
use crate::ids::{DeviceId, ServiceName};
use crate::measure;

/// How a device stands, as the KMS says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Of the device's record: an older one changes nothing.
    pub revision: u64,
    /// Rises with each order; what is acknowledged.
    pub epoch: u64,
    /// How far it is contained.
    pub level: ContainLevel,
    /// At level restrict, the services it may still reach.
    pub services: Vec<String>,
    /// How long it may be served beyond the lease.
    pub allowance: Duration,
    /// Nobody needs to acknowledge this epoch any more.
    pub settled: bool,
}

/// See the module.
#[derive(Debug)]
pub struct DeviceGate {
    device: DeviceId,
    lease: Arc<Lease>,
    /// In nanoseconds; beside the lock, since it is read before every write.
    allowance_ns: AtomicU64,
    /// Taken when a flow opens or ends and when an order comes, never for a flow's bytes.
    state: Mutex<State>,
    /// Told when a flow that was to stop has stopped.
    stopped: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    /// `None` when the KMS does not know the device.
    standing: Option<Standing>,
    /// Orders up to this epoch outlive a restart.
    kept: u64,
    /// Orders up to this epoch were acknowledged.
    acknowledged: u64,
    /// Bounded by the limits of flows: those stand right behind the gate.
    flows: HashMap<u64, Live>,
    entered: u64,
}

#[derive(Debug)]
struct Live {
    service: ServiceName,
    stop: Arc<Stop>,
}

impl Standing {
    /// Whether a flow to this service may go on.
    pub fn admits(&self, service: &ServiceName) -> bool {
        match self.level {
            ContainLevel::None | ContainLevel::Observe => true,
            ContainLevel::Restrict => self.services.iter().any(|name| name == service.as_str()),
            ContainLevel::Isolate | ContainLevel::Revoke => false,
        }
    }
}

impl DeviceGate {
    pub(super) fn new(device: DeviceId, lease: Arc<Lease>, stopped: Arc<Notify>) -> Self {
        Self {
            device,
            lease,
            allowance_ns: AtomicU64::new(0),
            state: Mutex::default(),
            stopped,
        }
    }

    /// Whose gate it is.
    pub fn device(&self) -> &DeviceId {
        &self.device
    }

    /// How the device stands; `None` when the KMS does not know it.
    pub fn standing(&self) -> Option<Standing> {
        self.state().standing.clone()
    }

    pub(super) fn live_flows(&self) -> usize {
        self.state().flows.len()
    }

    pub(super) fn level(&self) -> Option<ContainLevel> {
        Some(self.state().standing.as_ref()?.level)
    }

    /// Lets a flow in that may be carried now. Order and registration are one step under one lock:
    /// a flow either sees the order, or is there to be cut by it.
    pub(super) fn enter(self: &Arc<Self>, service: &ServiceName) -> Result<Pass, Closed> {
        let mut state = self.state();
        let standing = state.standing.as_ref().ok_or(Closed::NoLease)?;
        if !standing.admits(service) {
            return Err(Closed::Contained);
        }
        let observed = standing.level == ContainLevel::Observe;
        self.check_time()?;
        let (stop, id) = (Arc::<Stop>::default(), state.entered);
        state.entered += 1;
        let live = Live {
            service: service.clone(),
            stop: Arc::clone(&stop),
        };
        state.flows.insert(id, live);
        drop(state);
        if observed {
            measure::observed_flow(&self.device, service, "opened");
        }
        Ok(Pass::new(Arc::clone(self), id, stop))
    }

    /// A flow is over, and forwards nothing any more.
    pub(super) fn leave(&self, id: u64) {
        let mut state = self.state();
        let Some(live) = state.flows.remove(&id) else {
            return;
        };
        let level = state.standing.as_ref().map(|standing| standing.level);
        drop(state);
        if level == Some(ContainLevel::Observe) {
            measure::observed_flow(&self.device, &live.service, "ended");
        }
        if live.stop.reason().is_some() {
            self.stopped.notify_one();
        }
    }

    /// Takes up how the device stands now, and cuts what that forbids. Answers whether anything
    /// has changed.
    pub(super) fn apply(&self, mut standing: Standing) -> bool {
        let mut state = self.state();
        // What is acknowledged is no news.
        if std::mem::take(&mut standing.settled) {
            state.acknowledged = state.acknowledged.max(standing.epoch);
        }
        if state.standing.as_ref() == Some(&standing) {
            return false;
        }
        // The lease is read by pumps without the lock: a shorter allowance counts from here on.
        let allowance = nanoseconds(standing.allowance);
        self.allowance_ns.store(allowance, Ordering::Relaxed);
        let mut cut = 0;
        for live in state.flows.values() {
            if !standing.admits(&live.service) && live.stop.order(Closed::Contained) {
                cut += 1;
            }
        }
        let ordered = state.standing.as_ref().map(|former| former.epoch) != Some(standing.epoch);
        if ordered && (standing.epoch > 0 || cut > 0) {
            let (level, epoch) = (standing.level.as_str(), standing.epoch);
            tracing::info!(device = %self.device, level, epoch, live = state.flows.len(), cut,
                "the device's containment has changed");
        }
        state.standing = Some(standing);
        true
    }

    /// The KMS does not know the device any more.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.standing = None;
        self.allowance_ns.store(0, Ordering::Relaxed);
        for live in state.flows.values() {
            live.stop.order(Closed::NoLease);
        }
    }

    /// Cuts the flows of a device whose time is over. Their pumps forward nothing since then; this
    /// is for those that have nothing to forward.
    pub(super) fn sweep(&self) {
        let Err(closed) = self.check_time() else {
            return;
        };
        for live in self.state().flows.values() {
            live.stop.order(closed);
        }
    }

    /// Whether the time has not run out up to which the device may be served. Called right before
    /// each write, so that a process that was paused notices.
    pub(super) fn check_time(&self) -> Result<(), Closed> {
        let until = self.lease.until_ns();
        let allowance = self.allowance_ns.load(Ordering::Relaxed);
        // A lease that never was is over, however long the allowance.
        if until > 0 && nanoseconds(sys::clock::boottime()) < until.saturating_add(allowance) {
            return Ok(());
        }
        Err(Closed::NoLease)
    }

    /// Orders up to this epoch outlive a restart of this gateway.
    pub(super) fn kept(&self, epoch: u64) {
        let mut state = self.state();
        state.kept = state.kept.max(epoch);
    }

    /// The epoch that can be acknowledged now: nothing it forbids is forwarded here any more, nor
    /// would be after a restart.
    pub(super) fn due(&self) -> Option<u64> {
        let state = self.state();
        let standing = state.standing.as_ref()?;
        let news = standing.epoch > state.acknowledged && standing.epoch <= state.kept;
        let ended = || {
            state
                .flows
                .values()
                .all(|live| standing.admits(&live.service))
        };
        (news && ended()).then_some(standing.epoch)
    }

    /// Whether an order waits to be acknowledged.
    pub(super) fn owes(&self) -> bool {
        let state = self.state();
        let standing = state.standing.as_ref();
        standing.is_some_and(|standing| standing.epoch > state.acknowledged)
    }

    /// The KMS knows.
    pub(super) fn acknowledged(&self, epoch: u64) {
        let mut state = self.state();
        state.acknowledged = state.acknowledged.max(epoch);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
