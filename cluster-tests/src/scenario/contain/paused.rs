//! Gateways that are paused in the middle of their work, until an order is complete without them:
//! when they wake up, they complete the write they were in, and no other.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::ground::{Device, Ground, LOOK};
use crate::site::DATA_THREADS;

/// What became of one device's order.
pub struct Paused {
    /// Who was paused.
    pub paused: Vec<String>,
    /// Whom the order was pending for.
    pub pending: BTreeSet<String>,
    /// From the order to the answer that it is complete.
    pub complete: Duration,
    /// Bytes that both ends wrote during the pause: what could have been forwarded after it.
    pub written: u64,
    /// Bytes that arrived at each end of each flow after the gateways went on.
    pub late_bytes: Vec<u64>,
    /// Writes that the gateways can have been in: one for each of their data threads.
    pub writes_max: usize,
}

impl Paused {
    /// How many ends got bytes after the gateways went on.
    pub fn late_ends(&self) -> usize {
        self.late_bytes.iter().filter(|bytes| **bytes > 0).count()
    }
}

/// Pauses one gateway of the first pair and both of the second.
pub(super) fn run(ground: &mut Ground) -> Vec<Paused> {
    ground.stream_short();
    let all = [FIRST, SECOND].concat();
    ground.site.signal(&all, Signal::STOP);
    let said: Vec<u64> = ground.short.iter().map(Device::said).collect();
    let mut orders: Vec<Order> = (0..ground.short.len())
        .map(|at| order(ground, at))
        .collect();
    ground.until_complete(&mut orders, Order::look);
    // What was forwarded before the pause has long arrived, and both ends have said more since.
    let before: Vec<_> = ground.short.iter().map(Device::arrived).collect();
    let written = ground.short.iter().zip(said);
    let written: Vec<u64> = written.map(|(device, said)| device.said() - said).collect();
    let woken = sys::clock::monotonic();
    ground.site.signal(&all, Signal::CONT);
    for device in &ground.short {
        device.wait_ended();
    }
    ground.others_go_on(None, woken);
    let names = [FIRST, SECOND];
    let told = |order: Order| Paused {
        paused: names[order.device]
            .iter()
            .map(ToString::to_string)
            .collect(),
        pending: order.pending,
        complete: order.complete.expect("it is complete") - order.ordered,
        written: written[order.device],
        late_bytes: ground.short[order.device].since(&before[order.device]),
        writes_max: names[order.device].len() * DATA_THREADS,
    };
    let seen = orders.into_iter().map(told).collect();
    for device in &ground.short {
        ground.release(&device.id);
    }
    seen
}

/// An order under way.
struct Order {
    device: usize,
    ordered: Instant,
    pending: BTreeSet<String>,
    complete: Option<Instant>,
}

fn order(ground: &Ground, device: usize) -> Order {
    let ordered = sys::clock::monotonic();
    let report = ground.isolate(&ground.short[device].id);
    let pending = report.pending.into_iter().map(|gateway| gateway.gateway_id);
    Order {
        device,
        ordered,
        pending: pending.collect(),
        complete: None,
    }
}

impl Order {
    /// Asks once more; whether it is complete.
    fn look(&mut self, ground: &Ground) -> bool {
        if self.complete.is_none() {
            let report = ground.progress(&ground.short[self.device].id, LOOK);
            self.complete = report.is_complete().then(sys::clock::monotonic);
        }
        self.complete.is_some()
    }
}

/// The core of this pair goes on, and cuts its half.
const FIRST: &[&str] = &["edge-1"];
/// Of the second pair, nobody can.
const SECOND: &[&str] = &["edge-2", "core-2"];
