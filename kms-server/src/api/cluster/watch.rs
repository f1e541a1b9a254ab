//! Watch: changes of keys and devices as this node applies them, and a heartbeat every second.
//!
//! Nothing is queued for a slow watcher but the bounded channel of changes: who lags behind it
//! is told to forget everything, which is always safe.
//!
//! A stream says "nothing else changed" only where that is so in the whole cluster: its beginning
//! and each heartbeat stand behind a read barrier. A node that is cut off ends its streams, so
//! that caches go to one that is not, and keep nothing that was taken away meanwhile. A heartbeat
//! names the index of its barrier: every change up to there has been told before it.
//!
//! Every watcher is told of every key, for it may hold a data key of any; only who may list the
//! keys is told their names. Caches withdraw by id.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, Stream, StreamExt};
use kms_client::reason::Reason;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::{Interval, MissedTickBehavior};
use tonic::Status;
use ward_proto::v1::watch_event::Event as Told;
use ward_proto::v1::{Heartbeat, KeyChanged, Resync, WatchEvent};

use crate::api::call::{Call, check_caller, settle_unsecret};
use crate::api::caller::Caller;
use crate::api::convert;
use crate::api::devices;
use crate::api::failure::Failure;
use crate::limits::WATCH_HEARTBEAT;
use crate::node::context::Node;
use crate::policy::{Action, Facts, Resource};
use crate::replica::{Change, Event};
use crate::shares::{Full, Share};

/// What Watch answers.
pub(crate) type WatchStream = Pin<Box<dyn Stream<Item = Result<WatchEvent, Status>> + Send>>;

/// Serves Watch.
pub(crate) async fn watch(node: &Arc<Node>, call: &Call) -> Result<WatchStream, Failure> {
    let mut record = call.record(Action::Watch.name(), "cluster");
    let permitted = call.permit(&mut record, Action::Watch, Resource::Cluster, Facts::None);
    // Who caches must learn what is taken away, also while an audit log is full.
    let _authorized = settle_unsecret(node, record, permitted).await?;
    let place = node.watches.take(call.caller.id.to_string());
    let place = place.map_err(no_place)?;
    let watcher = Watcher::new(call, place);
    // After the watcher listens, so that what the barrier has not seen is told as a change.
    call.barrier().await?;
    Ok(stream::unfold(watcher, Watcher::next).boxed())
}

fn no_place(full: Full) -> Failure {
    match full {
        Full::Own => Failure::new(
            Reason::Quota,
            "this identity has as many watches here as one may have; end one",
        ),
        Full::All => Failure::new(
            Reason::Overloaded,
            "this node has no room for another watch; ask another",
        ),
    }
}

/// One open stream.
struct Watcher {
    node: Arc<Node>,
    caller: Caller,
    changes: Receiver<Change>,
    heartbeat: Interval,
    /// Runs while a heartbeat is due; changes go on being told meanwhile.
    barrier: Option<BoxFuture<'static, Result<u64, Failure>>>,
    /// The barrier was passed at this index; what was changed up to there is told first.
    due: Option<u64>,
    /// A change that came after it.
    after: Option<Change>,
    /// The greatest index that was told of.
    told_index: u64,
    /// Whether this watcher is told of devices; looked at again when policies change.
    sees_devices: bool,
    /// Whether it is told the names of keys; looked at again when policies change.
    sees_names: bool,
    begun: bool,
    ended: bool,
    _place: Share<String>,
}

impl Watcher {
    /// Listens for changes before the first event leaves, so that none falls between.
    fn new(call: &Call, place: Share<String>) -> Self {
        let node = &call.node;
        let mut heartbeat = tokio::time::interval(WATCH_HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            node: Arc::clone(node),
            caller: call.caller.clone(),
            changes: node.replica.changes(),
            heartbeat,
            barrier: None,
            due: None,
            after: None,
            told_index: 0,
            sees_devices: may(call, Action::ListDevices),
            sees_names: may(call, Action::ListKeys),
            begun: false,
            ended: false,
            _place: place,
        }
    }

    async fn next(mut self) -> Option<(Result<WatchEvent, Status>, Self)> {
        if self.ended {
            return None;
        }
        let told = self.told().await;
        // The caller's status counts for every message, not only for the first.
        let honoured = check_caller(&self.node, &self.caller);
        let told = told.and_then(|told| honoured.map(|()| told));
        self.ended = told.is_err();
        // A change is told just before its index is published.
        let applied_index = self.node.replica.applied_index().max(self.told_index);
        let event = told.map(|event| WatchEvent {
            applied_index,
            event: Some(event),
        });
        Some((event.map_err(Status::from), self))
    }

    async fn told(&mut self) -> Result<Told, Failure> {
        if !self.begun {
            self.begun = true;
            return Ok(Told::Resync(Resync {}));
        }
        loop {
            let change = match self.due {
                Some(through_index) => match self.next_until(through_index)? {
                    Some(change) => change,
                    None => {
                        self.due = None;
                        return Ok(Told::Heartbeat(Heartbeat { through_index }));
                    }
                },
                None => match self.after.take() {
                    Some(change) => change,
                    None => tokio::select! {
                        () = self.node.draining.cancelled() => return Err(stops()),
                        change = self.changes.recv() => match change {
                            Ok(change) => change,
                            Err(RecvError::Lagged(_)) => lagged(),
                            Err(RecvError::Closed) => return Err(stops()),
                        },
                        _ = self.heartbeat.tick(), if self.barrier.is_none() => {
                            self.barrier = Some(barrier(Arc::clone(&self.node)).boxed());
                            continue;
                        }
                        fresh = passed(&mut self.barrier) => {
                            self.barrier = None;
                            self.due = Some(fresh?);
                            continue;
                        }
                    },
                },
            };
            self.told_index = self.told_index.max(change.index);
            if let Some(told) = self.tell(&change.event) {
                return Ok(told);
            }
        }
    }

    /// The next change up to an index that is applied here. Its changes wait in the channel since
    /// before the index was published, so that an empty channel has none.
    fn next_until(&mut self, index: u64) -> Result<Option<Change>, Failure> {
        let next = match self.after.take() {
            Some(change) => change,
            None => match self.changes.try_recv() {
                Ok(change) => change,
                Err(TryRecvError::Lagged(_)) => lagged(),
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Closed) => return Err(stops()),
            },
        };
        if next.index > index {
            self.after = Some(next);
            return Ok(None);
        }
        Ok(Some(next))
    }

    /// What is told of a change; none when no cache depends on it.
    fn tell(&mut self, event: &Event) -> Option<Told> {
        match event {
            Event::Key(key_id) => self.node.replica.read(|index| {
                let key = index.key(key_id)?;
                Some(Told::KeyChanged(KeyChanged {
                    key_id: Bytes::copy_from_slice(key_id.as_bytes()),
                    name: match self.sees_names {
                        true => key.name.clone(),
                        false => String::new(),
                    },
                    state: convert::key_state(key.state).into(),
                    primary_version: key.primary,
                    epoch: key.epoch,
                }))
            }),
            Event::Device(device_id) if self.sees_devices => self.node.replica.read(|index| {
                let device = index.device(device_id)?;
                let order = index.containment(device_id);
                Some(Told::DeviceChanged(devices::told(device, order)))
            }),
            // Permissions may be less now, or anything may have changed.
            Event::Policy | Event::Everything => {
                let call = self.call();
                self.sees_devices = may(&call, Action::ListDevices);
                self.sees_names = may(&call, Action::ListKeys);
                Some(Told::Resync(Resync {}))
            }
            Event::Device(_)
            | Event::Acknowledged(_)
            | Event::Gateway(_)
            | Event::FormerGateway(_)
            | Event::Identity(..) => None,
        }
    }

    fn call(&self) -> Call {
        Call::on_behalf(&self.node, self.caller.clone(), None)
    }
}

/// Changes were missed: as if everything had changed, at an index that is told in any case.
fn lagged() -> Change {
    Change {
        index: 0,
        event: Event::Everything,
    }
}

fn stops() -> Failure {
    Failure::new(Reason::Unavailable, "this node stops; ask another")
}

fn may(call: &Call, action: Action) -> bool {
    call.authorize(action, Resource::Cluster, Facts::None)
        .is_ok()
}

async fn barrier(node: Arc<Node>) -> Result<u64, Failure> {
    Ok(node.replica.read_barrier().await?.index())
}

/// Waits for the barrier that runs; for ever when none does.
async fn passed(
    barrier: &mut Option<BoxFuture<'static, Result<u64, Failure>>>,
) -> Result<u64, Failure> {
    match barrier {
        Some(running) => running.await,
        None => std::future::pending().await,
    }
}
