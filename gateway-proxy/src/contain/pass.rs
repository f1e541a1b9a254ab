//! A flow's leave to be carried, from its opening to its very end. The flow asks it before each
//! write; while it lives, the order that forbids the flow is not acknowledged.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use futures::task::AtomicWaker;

use super::{Closed, DeviceGate};

/// See the module. Dropped last, after both of the flow's connections are reset or closed.
#[derive(Debug)]
pub struct Pass {
    gate: Arc<DeviceGate>,
    id: u64,
    stop: Arc<Stop>,
}

/// The order to a flow to stop.
#[derive(Debug, Default)]
pub(super) struct Stop {
    reason: AtomicU8,
    flow: AtomicWaker,
}

const GOES_ON: u8 = 0;
const CONTAINED: u8 = 1;
const NO_LEASE: u8 = 2;

impl Pass {
    pub(super) fn new(gate: Arc<DeviceGate>, id: u64, stop: Arc<Stop>) -> Self {
        Self { gate, id, stop }
    }

    /// Whether the next write may be made. To be asked right before it.
    ///
    /// # Errors
    /// Why not; the flow is to be reset at both ends.
    pub fn check(&self) -> Result<(), Closed> {
        match self.stop.reason() {
            Some(closed) => Err(closed),
            None => self.gate.check_time(),
        }
    }

    /// Ready when the flow has to stop; otherwise its task is woken when it has.
    pub fn poll_stopped(&self, context: &mut Context<'_>) -> Poll<Closed> {
        // Registered first: an order that comes in between then wakes.
        self.stop.flow.register(context.waker());
        match self.stop.reason() {
            Some(closed) => Poll::Ready(closed),
            None => Poll::Pending,
        }
    }

    /// Returns when the flow has to stop.
    pub async fn stopped(&self) -> Closed {
        poll_fn(|context| self.poll_stopped(context)).await
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.leave(self.id);
    }
}

impl Stop {
    /// Orders the flow to stop. Answers whether this is the first such order.
    pub(super) fn order(&self, closed: Closed) -> bool {
        let reason = match closed {
            Closed::Contained => CONTAINED,
            Closed::NoLease => NO_LEASE,
        };
        let first = self
            .reason
            .compare_exchange(GOES_ON, reason, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        self.flow.wake();
        first
    }

    pub(super) fn reason(&self) -> Option<Closed> {
        match self.reason.load(Ordering::Acquire) {
            GOES_ON => None,
            CONTAINED => Some(Closed::Contained),
            _ => Some(Closed::NoLease),
        }
    }
}
