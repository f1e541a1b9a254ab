//! One of the node's chores: while it leads, it records when nobody is waited for any more.
//!
//! That outlives the leader: no later one waits for a settled order again, and a lowered allowance
//! counts from then on.

use std::collections::BTreeSet;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::MissedTickBehavior;

use super::SETTLE_INTERVAL;
use crate::command::{Command, ForgetGateway, Proposal, SettleContainment};
use crate::node::context::Node;
use crate::replica::{Change, Event};

/// Keeps the orders until the node drains.
pub(crate) async fn keep(node: &Node) {
    let mut changes = node.replica.changes();
    let mut tick = tokio::time::interval(SETTLE_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut keeper = Keeper {
        node,
        scanned: None,
        unsettled: BTreeSet::new(),
    };
    loop {
        tokio::select! {
            () = node.draining.cancelled() => return,
            change = changes.recv() => match change {
                Ok(change) => keeper.take_up(change).await,
                Err(RecvError::Lagged(_)) => keeper.scanned = None,
                Err(RecvError::Closed) => return,
            },
            _ = tick.tick() => keeper.look_at_all().await,
        }
    }
}

struct Keeper<'a> {
    node: &'a Node,
    /// The term in which `unsettled` was gathered, while this node leads.
    scanned: Option<u64>,
    /// Devices whose orders are waited for.
    unsettled: BTreeSet<String>,
}

impl Keeper<'_> {
    async fn take_up(&mut self, change: Change) {
        match change.event {
            Event::Device(device_id) | Event::Acknowledged(device_id) => {
                if self.scanned.is_some() {
                    self.look_at(&device_id).await;
                }
            }
            Event::Everything => self.scanned = None,
            Event::Key(_)
            | Event::Policy
            | Event::Gateway(_)
            | Event::Identity(..)
            | Event::FormerGateway(_) => {}
        }
    }

    async fn look_at_all(&mut self) {
        if !self.node.leads() {
            self.scanned = None;
            self.unsettled.clear();
        } else if self.scanned != Some(self.node.replica.term()) {
            self.scan();
        }
        metrics::gauge!("ward_containments_pending").set(count(self.unsettled.len()));
        if self.scanned.is_none() {
            return;
        }
        for device_id in self.unsettled.clone() {
            self.look_at(&device_id).await;
        }
        self.forget_gateways().await;
    }

    fn scan(&mut self) {
        self.scanned = Some(self.node.replica.term());
        self.unsettled = self.node.replica.read(|index| {
            let orders = index.containments().filter(|order| !order.is_settled());
            orders.map(|order| order.device_id.clone()).collect()
        });
    }

    async fn look_at(&mut self, device_id: &str) {
        let term = self.node.replica.term();
        let (order, complete) = self.node.replica.read(|index| {
            let order = index.containment(device_id);
            let pending = self.node.pending(index, term, device_id);
            (order, pending.is_empty())
        });
        if order.is_settled() {
            self.unsettled.remove(device_id);
            return;
        }
        self.unsettled.insert(device_id.to_owned());
        if !complete {
            return;
        }
        let epoch = order.epoch;
        let command = Command::SettleContainment(SettleContainment {
            device_id: device_id.to_owned(),
            epoch,
        });
        if self.propose(command).await {
            tracing::info!(device_id, epoch, "no gateway forwards against this order");
            self.unsettled.remove(device_id);
        }
    }

    async fn forget_gateways(&self) {
        for former in self.node.gateways_gone() {
            let (gateway_id, epoch) = (former.gateway_id, former.epoch);
            let command = Command::ForgetGateway(ForgetGateway {
                gateway_id: gateway_id.clone(),
                epoch,
            });
            if self.propose(command).await {
                tracing::info!(gateway_id, "a former gateway can forward no longer");
            }
        }
    }

    /// Whether it was written; if not, the next look tries again.
    async fn propose(&self, command: Command) -> bool {
        let proposal = Proposal::internal(sys::clock::wall_ms(), command);
        match self.node.replica.propose(proposal).await {
            Ok(_) => true,
            Err(error) => {
                tracing::debug!(%error, "not recorded yet");
                false
            }
        }
    }
}

/// Prometheus counts in doubles: exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a double")]
fn count(orders: usize) -> f64 {
    orders as f64
}
