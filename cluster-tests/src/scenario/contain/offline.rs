//! Gateways that are cut off from the KMS, and from nothing else: an order waits for them as long
//! as they may go on, and they go on no longer.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kms_client::model::ContainmentReport;

use super::ground::{ALLOWANCE_S, Ground, LOOK};
use crate::wait;

/// What became of one device's order.
pub struct Offline {
    /// Who was cut off.
    pub cut_off: Vec<String>,
    /// Whom the order was pending for, as it was answered last before it was complete.
    pub pending: BTreeSet<String>,
    /// The offline allowance.
    pub allowance: Duration,
    /// From the order to the deadline that `pending` named; `None` when no answer came before.
    pub deadline: Option<Duration>,
    /// From the cut, and from the order right behind it, to the last byte at either end.
    pub last_byte: (Duration, Duration),
    /// From the order to the answer that it is complete.
    pub complete: Duration,
    /// Whether bytes arrived after the order had been answered as pending.
    pub went_on: bool,
    /// Whether it was complete before the deadline.
    pub complete_early: bool,
    /// Whether a byte arrived after the deadline.
    pub byte_after_deadline: bool,
    /// Bytes that arrived after the answer that it is complete.
    pub late_bytes: u64,
}

/// An order under way.
struct Order {
    device: usize,
    cut: Instant,
    ordered: Instant,
    pending: BTreeSet<String>,
    /// The deadline lies between these two: an answer tells how long, not since when.
    after: Instant,
    before: Option<Instant>,
    /// When it was answered first.
    answered: Instant,
    complete: Option<Instant>,
    arrived: Vec<[u64; 2]>,
}

/// Cuts one gateway of the first pair off, then both of the second as well, with an order after
/// each.
pub(super) fn run(ground: &mut Ground) -> Vec<Offline> {
    ground.stream_short();
    let mut first = cut_and_order(ground, &FIRST, 0);
    wait::until("the order waits for nobody who hears it", || {
        let done = first.look(ground) || first.pending.iter().eq(FIRST.iter());
        done.then_some(())
    });
    let second = cut_and_order(ground, &ALL, 1);
    let mut orders = [first, second];
    ground.until_complete(&mut orders, Order::look);
    for order in &orders {
        ground.short[order.device].wait_ended();
    }
    ground.others_go_on(None, sys::clock::monotonic());
    ground.site.mend();
    let [first, second] = orders;
    let seen = vec![first.told(ground, &FIRST), second.told(ground, &ALL)];
    for device in &mut ground.short {
        device.flows.clear();
    }
    for device in &ground.short {
        ground.release(&device.id);
    }
    seen
}

fn cut_and_order(ground: &Ground, cut_off: &[&str], device: usize) -> Order {
    ground.site.cut_off(cut_off);
    let cut = sys::clock::monotonic();
    let ordered = sys::clock::monotonic();
    let report = ground.isolate(&ground.short[device].id);
    let mut order = Order {
        device,
        cut,
        ordered,
        pending: BTreeSet::new(),
        after: ordered,
        before: None,
        answered: ordered,
        complete: None,
        arrived: Vec::new(),
    };
    order.take_up(ground, ordered, &report);
    order.answered = sys::clock::monotonic();
    order
}

impl Order {
    /// Asks once more; whether it is complete.
    fn look(&mut self, ground: &Ground) -> bool {
        if self.complete.is_none() {
            let asked = sys::clock::monotonic();
            let report = ground.progress(&ground.short[self.device].id, LOOK);
            self.take_up(ground, asked, &report);
        }
        self.complete.is_some()
    }

    fn take_up(&mut self, ground: &Ground, asked: Instant, report: &ContainmentReport) {
        let answered = sys::clock::monotonic();
        if report.is_complete() {
            self.complete = Some(answered);
            self.arrived = ground.short[self.device].arrived();
        }
        if !report.is_complete() {
            let pending = report.pending.iter();
            self.pending = pending.map(|gateway| gateway.gateway_id.clone()).collect();
        }
        for gateway in &report.pending {
            self.after = self.after.max(asked + gateway.remaining);
            // What is told was rounded down.
            let before = answered + gateway.remaining + Duration::from_millis(1);
            self.before = Some(self.before.map_or(before, |known| known.min(before)));
        }
    }

    fn told(self, ground: &Ground, cut_off: &[&str]) -> Offline {
        let device = &ground.short[self.device];
        let complete = self.complete.expect("it is complete");
        Offline {
            cut_off: cut_off.iter().map(ToString::to_string).collect(),
            pending: self.pending,
            allowance: Duration::from_secs(ALLOWANCE_S.into()),
            deadline: self.before.map(|before| before - self.ordered),
            last_byte: (
                device.last().saturating_duration_since(self.cut),
                device.last().saturating_duration_since(self.ordered),
            ),
            complete: complete - self.ordered,
            went_on: device.last() > self.answered,
            complete_early: complete < self.after,
            byte_after_deadline: self.before.is_some_and(|before| device.last() > before),
            late_bytes: device.since(&self.arrived).iter().sum(),
        }
    }
}

/// The core of this pair hears the order, and cuts what its edge would still forward.
const FIRST: [&str; 1] = ["edge-1"];
/// Of the second pair, nobody hears it.
const ALL: [&str; 3] = ["edge-1", "edge-2", "core-2"];
