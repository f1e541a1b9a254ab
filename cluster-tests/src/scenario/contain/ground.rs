//! Where it happens: the site, the devices with their flows, and the operator.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kms_client::model::{ContainLevel, ContainOrder, ContainmentReport};
use kms_client::{Client, Error};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::flows::{Flow, Pace, Server};
use crate::site::{Entry, Site};
use crate::wait;

/// See the module. The runtime is dropped last: all the others have tasks on it.
pub(super) struct Ground {
    /// The devices whose flows stream all the time, those of the first pair first.
    pub(super) devices: Vec<Device>,
    /// One of each pair, with a short offline allowance; they have no flows yet.
    pub(super) short: Vec<Device>,
    pub(super) site: Site,
    /// Flows that were cut without an order against their device.
    pub(super) others_cut: usize,
    client: Client,
    server: Arc<Server>,
    runtime: Runtime,
}

/// A device, its port, and its flows.
pub(super) struct Device {
    pub(super) id: String,
    pub(super) flows: Vec<Flow>,
    entry: Entry,
    pace: Pace,
}

impl Ground {
    /// Starts everything; returns when `flows` flows stream.
    pub(super) fn start(ward: &Path, dir: &Path, flows: usize) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let server = Arc::new(Server::start(runtime.handle()));
        let mut site = Site::start(runtime.handle(), ward, dir);
        let (mut devices, mut short) = (Vec::new(), Vec::new());
        for pair in [1, 2] {
            let mut ids: Vec<(String, Option<u32>)> = (1..=DEVICES_PER_PAIR)
                .map(|number| (format!("pump-{pair}{number}"), None))
                .collect();
            ids.push((format!("short-{pair}"), Some(ALLOWANCE_S)));
            for entry in site.pair(pair, &ids, server.address) {
                if entry.device.starts_with("short") {
                    short.push(Device::new(entry, THICK));
                } else {
                    devices.push(Device::new(entry, THIN));
                }
            }
        }
        let client = {
            let _inside = runtime.enter();
            Client::open(site.operator()).expect("the operator's identity")
        };
        let mut ground = Self {
            devices,
            short,
            site,
            others_cut: 0,
            client,
            server,
            runtime,
        };
        let count = ground.devices.len();
        for at in 0..count {
            let share = flows / count + usize::from(at < flows % count);
            ground.devices[at].flows = ground.open(&ground.devices[at], share);
        }
        ground
    }

    /// Ends everything; no process may fail.
    pub(super) fn stop(self) {
        let Self {
            devices,
            short,
            site,
            ..
        } = self;
        drop((devices, short));
        site.stop();
    }

    /// The flows that stream all the time.
    pub(super) fn flows(&self) -> impl Iterator<Item = &Flow> {
        self.devices.iter().flat_map(|device| &device.flows)
    }

    /// Orders that nothing of the device goes on.
    pub(super) fn isolate(&self, device: &str) -> ContainmentReport {
        let order = ContainOrder::of(ContainLevel::Isolate);
        self.ask(|| self.client.contain_device(device, &order))
    }

    /// Asks how far the order is carried out, and waits so long until it is.
    pub(super) fn progress(&self, device: &str, wait: Duration) -> ContainmentReport {
        self.ask(|| self.client.describe_containment(device, wait))
    }

    /// Ends the order.
    pub(super) fn release(&self, device: &str) {
        self.ask(|| self.client.release_device(device));
    }

    /// Asks until the cluster answers. On a busy machine an election may take longer than one call
    /// of the client; whoever measures an order measures that as well.
    fn ask<T, Asked>(&self, call: impl Fn() -> Asked) -> T
    where
        Asked: Future<Output = Result<T, Error>>,
    {
        wait::until("the cluster answers", || {
            match self.runtime.block_on(call()) {
                Ok(answer) => Some(answer),
                Err(error) if error.reason().may_pass() => None,
                Err(error) => panic!("an operator may: {error}"),
            }
        })
    }

    /// Lets flows of the devices with a short allowance stream.
    pub(super) fn stream_short(&mut self) {
        for at in 0..self.short.len() {
            self.short[at].flows = self.open(&self.short[at], SHORT_FLOWS);
            self.short[at].wait_streaming();
        }
    }

    /// Looks at orders in turn until each is complete, as `look` answers.
    pub(super) fn until_complete<Order>(
        &self,
        orders: &mut [Order],
        look: impl Fn(&mut Order, &Self) -> bool,
    ) {
        wait::until("the orders are complete", || {
            let looked = orders.iter_mut().map(|order| look(order, self));
            // Each is looked at, also behind one that is pending.
            looked.fold(true, |all, one| all & one).then_some(())
        });
    }

    /// Opens so many flows of a device, trying each until both gateways let it through.
    pub(super) fn open(&self, device: &Device, count: usize) -> Vec<Flow> {
        let (address, pace) = (device.entry.address, device.pace);
        self.runtime.block_on(async {
            let mut opening = JoinSet::new();
            for _ in 0..count {
                let server = Arc::clone(&self.server);
                opening.spawn(async move {
                    loop {
                        if let Ok(flow) = server.open(address, pace).await {
                            return flow;
                        }
                        // As a device does; a gateway may not have heard of the release yet.
                        tokio::time::sleep(RETRY).await;
                    }
                });
            }
            let opened = tokio::time::timeout(wait::DEADLINE, opening.join_all()).await;
            opened.unwrap_or_else(|_| panic!("the flows of {} are not let through", device.id))
        })
    }

    /// Waits until every flow of every other device has gone on at both ends after `at`. Those
    /// that were cut instead are counted and taken away.
    pub(super) fn others_go_on(&mut self, but: Option<&str>, at: Instant) {
        for device in &mut self.devices {
            if but == Some(device.id.as_str()) {
                continue;
            }
            let before = device.flows.len();
            wait::until("the flows of other devices go on", || {
                device.flows.retain(Flow::is_whole);
                device
                    .flows
                    .iter()
                    .all(|flow| flow.went_on_after(at))
                    .then_some(())
            });
            self.others_cut += before - device.flows.len();
        }
    }
}

impl Device {
    fn new(entry: Entry, pace: Pace) -> Self {
        Self {
            id: entry.device.clone(),
            flows: Vec::new(),
            entry,
            pace,
        }
    }

    /// Bytes that have arrived at each end of each flow.
    pub(super) fn arrived(&self) -> Vec<[u64; 2]> {
        self.flows.iter().map(Flow::arrived).collect()
    }

    /// Bytes that both ends of all its flows have written.
    pub(super) fn said(&self) -> u64 {
        self.flows.iter().map(Flow::said).sum()
    }

    /// Waits until bytes arrive at both ends of each flow.
    pub(super) fn wait_streaming(&self) {
        let now = sys::clock::monotonic();
        wait::until("the device's flows stream", || {
            let mut flows = self.flows.iter();
            flows.all(|flow| flow.went_on_after(now)).then_some(())
        });
    }

    /// When something arrived last.
    pub(super) fn last(&self) -> Instant {
        self.flows
            .iter()
            .map(Flow::last)
            .max()
            .expect("it has flows")
    }

    /// Waits until each end of each flow has noticed that it is over.
    pub(super) fn wait_ended(&self) {
        wait::until("the device's flows end", || {
            self.flows.iter().all(Flow::has_ended).then_some(())
        });
    }

    /// What arrived at each end since `before`.
    pub(super) fn since(&self, before: &[[u64; 2]]) -> Vec<u64> {
        let pairs = self.arrived().into_iter().zip(before);
        pairs
            .flat_map(|(now, before)| [now[0] - before[0], now[1] - before[1]])
            .collect()
    }
}

/// How long gateways go on for the devices whose gateways are cut off or paused.
pub(super) const ALLOWANCE_S: u32 = 2;
/// Short, since orders are looked at in turn.
pub(super) const LOOK: Duration = Duration::from_millis(100);
/// Of each device with a short allowance: more ends than paused gateways have data threads.
const SHORT_FLOWS: usize = 8;
const DEVICES_PER_PAIR: usize = 4;
const RETRY: Duration = Duration::from_millis(5);
/// Many flows: enough writes to see when the last byte arrives, few enough for two processors.
const THIN: Pace = Pace {
    write: 64,
    every: Duration::from_millis(100),
};
/// Few flows that nearly always have something under way.
const THICK: Pace = Pace {
    write: 4096,
    every: Duration::from_millis(10),
};
