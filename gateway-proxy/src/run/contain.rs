//! Keeps the gates as the KMS says: asks for leases, follows its orders, acknowledges them, and
//! keeps both for a restart. Part of the control runtime (ADR 0015).
//!
//! ```text
//!   leases ──▶ book ◀── orders (watch, device table) ──▶ gates ──▶ acknowledgements
//!                                                          └────▶ keeper (file)
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use kms_client::model::{
    ContainLevel, Containment as Order, Device, DeviceChange, DeviceState, WatchEventKind,
};
use kms_client::{Client, Error};
use sys::task::AbortOnDrop;
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::config::{Config, RoleConfig};
use crate::contain::{Gates, Kept, LeaseBook, Standing, Store};
use crate::ids::DeviceId;
use crate::limits::{
    ACKNOWLEDGEMENTS_MAX, KMS_RETRY_INTERVAL, LEASE_INTERVAL, LEASE_KEEP_INTERVAL,
    LEASE_SWEEP_INTERVAL,
};
use crate::measure;

/// The gates of this gateway, and what keeps them.
pub(super) struct Containment {
    gates: Gates,
    keeper: Arc<Keeper>,
    known: watch::Sender<bool>,
}

/// What the tasks share.
struct Follower {
    client: Client,
    gates: Gates,
    book: LeaseBook,
    keeper: Arc<Keeper>,
    /// The first lease was asked for, whatever came of it.
    asked: Notify,
    known: watch::Sender<bool>,
}

/// Writes the file, one write at a time.
struct Keeper {
    store: Store,
    served: HashSet<DeviceId>,
    gates: Gates,
    changed: Notify,
}

impl Containment {
    /// Takes up what was kept. Until the KMS is heard, flows are held to that.
    pub(super) fn load(config: &Config) -> Self {
        let gates = Gates::default();
        let store = Store::new(&config.state_dir);
        let kept = store.load();
        let served = served(config);
        for (device, standing) in kept.standings {
            gates.apply(&device, standing);
        }
        if let Some(until) = kept.until {
            gates.lease().extend(until);
        }
        // What was kept for a device whose time is over serves nobody.
        let is_known = served.iter().all(|device| gates.is_in_time(device));
        let keeper = Arc::new(Keeper {
            store,
            served,
            gates: gates.clone(),
            changed: Notify::new(),
        });
        Self {
            gates,
            keeper,
            known: watch::Sender::new(is_known),
        }
    }

    /// The gates.
    pub(super) fn gates(&self) -> Gates {
        self.gates.clone()
    }

    /// Follows the KMS from here on. The tasks end when their handles are dropped.
    pub(super) fn follow(&self, client: &Client) -> Vec<AbortOnDrop<()>> {
        let follower = Arc::new(Follower {
            client: client.clone(),
            gates: self.gates.clone(),
            book: LeaseBook::new(Arc::clone(self.gates.lease())),
            keeper: Arc::clone(&self.keeper),
            asked: Notify::new(),
            known: self.known.clone(),
        });
        let (leases, orders) = (Arc::clone(&follower), Arc::clone(&follower));
        let (keeper, gates) = (Arc::clone(&self.keeper), self.gates.clone());
        vec![
            own("leases", async move { leases.renew().await }),
            own("orders", async move { orders.obey().await }),
            own(
                "acknowledgements",
                async move { follower.acknowledge().await },
            ),
            own("containment keeper", async move { keeper.keep().await }),
            own("lease sweep", async move { sweep(&gates).await }),
        ]
    }

    /// Returns when it is known which devices may communicate.
    pub(super) async fn known(&self) {
        // The sender is this gateway's own: it cannot be gone.
        drop(self.known.subscribe().wait_for(|known| *known).await);
    }
}

impl Follower {
    /// Asks for a lease every few seconds, sooner after a failure.
    async fn renew(&self) {
        loop {
            // Not cut short: the client goes on to the next node, and the lease counts from when
            // the node that answered was asked.
            let pause = match self.client.renew_lease().await {
                Ok(lease) => {
                    measure::lease_asked("granted");
                    self.taken(self.book.granted(lease.index, lease.ends_at()));
                    LEASE_INTERVAL
                }
                Err(error) => {
                    measure::lease_asked("failed");
                    tracing::warn!(reason = %error.reason(), "no lease: {error}");
                    KMS_RETRY_INTERVAL
                }
            };
            self.asked.notify_one();
            sleep(pause).await;
        }
    }

    /// Follows the watch for ever.
    async fn obey(&self) {
        // A stream that opens after a lease was granted knows everything up to its index, so that
        // the first lease waits for no heartbeat.
        self.asked.notified().await;
        let mut watch = self.client.watch();
        loop {
            let event = watch.next().await;
            match event.kind {
                WatchEventKind::DeviceChanged(change) => self.change(change),
                WatchEventKind::Heartbeat { through_index } => {
                    self.taken(self.book.known_through(through_index));
                }
                WatchEventKind::Resync => {
                    self.read_table().await;
                    self.taken(self.book.known_through(event.applied_index));
                }
                WatchEventKind::KeyChanged(_) => {}
            }
        }
    }

    fn change(&self, change: DeviceChange) {
        let DeviceChange {
            device_id,
            state,
            containment,
            offline_allowance,
            revision,
        } = change;
        let Ok(device) = device_id.parse() else {
            return tracing::warn!("a device's id is no name; it is not served");
        };
        let standing = standing(state, containment, offline_allowance, revision);
        if self.gates.apply(&device, standing) {
            self.keeper.changed.notify_one();
        }
    }

    /// Reads how all devices stand, however long that takes. The client asks for at least what the
    /// event before told of.
    async fn read_table(&self) {
        let devices = loop {
            match self.client.list_devices().await {
                Ok(devices) => break devices,
                Err(error) => {
                    tracing::warn!(reason = %error.reason(), "devices are not known: {error}");
                    sleep(KMS_RETRY_INTERVAL).await;
                }
            }
        };
        let standings: HashMap<_, _> = devices.into_iter().filter_map(of_device).collect();
        if self.gates.replace(standings) {
            self.keeper.changed.notify_one();
        }
    }

    /// Notes that a lease was taken into use.
    fn taken(&self, taken: bool) {
        if taken && !self.known.send_replace(true) {
            // The first one is kept at once: a gateway that is killed goes on with it.
            self.keeper.changed.notify_one();
        }
    }

    /// Tells the KMS of each order that is carried out, until it has heard.
    async fn acknowledge(&self) {
        loop {
            let due = stream::iter(self.gates.due());
            let told = due.map(|(device, epoch)| self.tell(device, epoch));
            let told: Vec<bool> = told.buffer_unordered(ACKNOWLEDGEMENTS_MAX).collect().await;
            if told.contains(&false) {
                sleep(KMS_RETRY_INTERVAL).await;
            } else if told.is_empty() {
                self.gates.news().await;
            }
        }
    }

    async fn tell(&self, device: DeviceId, epoch: u64) -> bool {
        let told = self.client.acknowledge_containment(device.as_str(), epoch);
        match told.await {
            Ok(()) => {
                measure::order_acknowledged("told");
                tracing::info!(%device, epoch, "an order is carried out and acknowledged");
                self.gates.acknowledged(&device, epoch);
                true
            }
            Err(error) => {
                measure::order_acknowledged("failed");
                not_acknowledged(&device, epoch, &error);
                false
            }
        }
    }
}

impl Keeper {
    /// Writes what has changed, and from time to time how far the lease has come.
    async fn keep(self: &Arc<Self>) {
        let mut tick = interval(LEASE_KEEP_INTERVAL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = Kept::default();
        loop {
            tokio::select! {
                () = self.changed.notified() => {}
                _ = tick.tick() => {}
            }
            let (until, standings) = (self.gates.lease().until(), self.gates.standings());
            let (now, others) = Kept::of(until, standings, &self.served);
            self.gates.kept(&others);
            if now != last && self.write(&now).await {
                last = now;
            }
        }
    }

    async fn write(self: &Arc<Self>, now: &Kept) -> bool {
        let (keeper, kept) = (Arc::clone(self), now.clone());
        let write = move || keeper.store.keep(&kept);
        match tokio::task::spawn_blocking(write).await {
            Ok(Ok(())) => {
                self.gates.kept(&now.standings);
                return true;
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "an old order could not be removed from disk; the new one \
                    is acknowledged when it can, so make room or mend the file system");
            }
            Err(error) => tracing::error!(%error, "containment was not kept"),
        }
        sleep(KMS_RETRY_INTERVAL).await;
        self.changed.notify_one();
        false
    }
}

/// Cuts what nobody writes on, and shows how long the lease lasts.
async fn sweep(gates: &Gates) {
    let mut tick = interval(LEASE_SWEEP_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        gates.sweep();
        let until = gates.lease().until().unwrap_or_default();
        measure::lease_left(until.saturating_sub(sys::clock::boottime()));
        measure::log_lines_dropped(sys::log::dropped());
    }
}

/// The devices that have a route or a service here.
fn served(config: &Config) -> HashSet<DeviceId> {
    match &config.role {
        RoleConfig::Edge(edge) => edge
            .routes
            .iter()
            .map(|route| route.device.clone())
            .collect(),
        RoleConfig::Core(core) => {
            let devices = core.services.iter().flat_map(|service| &service.devices);
            devices.cloned().collect()
        }
    }
}

fn of_device(device: Device) -> Option<(DeviceId, Standing)> {
    let Device {
        id,
        state,
        containment,
        offline_allowance,
        revision,
        ..
    } = device;
    let standing = standing(state, containment, offline_allowance, revision);
    Some((id.parse().ok()?, standing))
}

fn standing(state: DeviceState, order: Order, allowance: Duration, revision: u64) -> Standing {
    let level = match state {
        DeviceState::Active => order.level,
        DeviceState::Revoked => ContainLevel::Revoke,
    };
    Standing {
        revision,
        epoch: order.epoch,
        level,
        services: order.services,
        allowance,
        settled: order.settled,
    }
}

fn not_acknowledged(device: &DeviceId, epoch: u64, error: &Error) {
    let reason = error.reason();
    tracing::warn!(%device, epoch, %reason, "an order is not acknowledged yet: {error}");
}

fn own(name: &'static str, work: impl Future<Output = ()> + Send + 'static) -> AbortOnDrop<()> {
    AbortOnDrop(sys::task::spawn(name, work))
}
