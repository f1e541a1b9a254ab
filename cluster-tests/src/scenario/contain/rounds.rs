//! One order while all is well: how long it takes, and what it leaves alone.

use std::time::Duration;

use super::ground::Ground;
use crate::wait;

/// What one order did.
pub struct Round {
    /// From the order to the last byte of the device at either end; zero when none came after it.
    pub last_byte: Duration,
    /// From the order to the answer that it is complete.
    pub complete: Duration,
    /// Bytes of the device that arrived at either end after that answer. What arrives between the
    /// answer and the look at the sockets right behind it counts as before.
    pub late_bytes: u64,
}

/// Isolates one device, each in its turn, and lets it come back.
pub(super) fn round(ground: &mut Ground, number: usize) -> Round {
    let at = number % ground.devices.len();
    let device = &ground.devices[at];
    device.wait_streaming();
    let (id, count) = (device.id.clone(), device.flows.len());
    let begun = sys::clock::monotonic();
    let mut report = ground.isolate(&id);
    wait::until("the order is complete", || {
        if !report.is_complete() {
            report = ground.progress(&id, Duration::from_secs(1));
        }
        report.is_complete().then_some(())
    });
    let answered = sys::clock::monotonic();
    let device = &ground.devices[at];
    let arrived = device.arrived();
    device.wait_ended();
    let round = Round {
        last_byte: device.last().saturating_duration_since(begun),
        complete: answered - begun,
        late_bytes: device.since(&arrived).iter().sum(),
    };
    ground.others_go_on(Some(&id), answered);
    ground.release(&id);
    ground.devices[at].flows = ground.open(&ground.devices[at], count);
    round
}
