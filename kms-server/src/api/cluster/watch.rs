//! Watch: key changes as this node applies them, and a heartbeat every second.
//!
//! Nothing is queued for a slow watcher but the bounded channel of changes: who lags behind it
//! is told to forget everything, which is always safe.
//!
//! A stream says "nothing else changed" only where that is so in the whole cluster: its beginning
//! and each heartbeat stand behind a read barrier. A node that is cut off ends its streams, so
//! that caches go to one that is not, and keep nothing that was taken away meanwhile.
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
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::time::{Interval, MissedTickBehavior};
use tonic::Status;
use ward_proto::v1::watch_event::Event as Told;
use ward_proto::v1::{Heartbeat, KeyChanged, Resync, WatchEvent};

use crate::api::call::{Call, check_caller};
use crate::api::caller::Caller;
use crate::api::convert;
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
    let permitted = call.authorize(Action::Watch, Resource::Cluster, Facts::None);
    if let Ok(authorized) = &permitted {
        record.policies = authorized.policies().to_vec();
    }
    let (_authorized, _durable) = call.settle(record, permitted).await?;
    let place = node.watches.take(call.caller.id.to_string());
    let place = place.map_err(no_place)?;
    let watcher = Watcher::new(node, call.caller.clone(), place);
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
    barrier: Option<BoxFuture<'static, Result<(), Failure>>>,
    /// Whether the caller may list keys; asked again when the policies change.
    names: bool,
    begun: bool,
    ended: bool,
    _place: Share<String>,
}

impl Watcher {
    /// Listens for changes before the first event leaves, so that none falls between.
    fn new(node: &Arc<Node>, caller: Caller, place: Share<String>) -> Self {
        let mut heartbeat = tokio::time::interval(WATCH_HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let names = may_list_keys(node, &caller);
        Self {
            node: Arc::clone(node),
            caller,
            changes: node.replica.changes(),
            heartbeat,
            barrier: None,
            names,
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
        let applied_index = self.node.replica.applied_index();
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
            let change = tokio::select! {
                () = self.node.draining.cancelled() => {
                    return Err(Failure::new(Reason::Unavailable, "this node stops; ask another"));
                }
                change = self.changes.recv() => change,
                _ = self.heartbeat.tick(), if self.barrier.is_none() => {
                    self.barrier = Some(barrier(Arc::clone(&self.node)).boxed());
                    continue;
                }
                fresh = passed(&mut self.barrier) => {
                    self.barrier = None;
                    fresh?;
                    return Ok(Told::Heartbeat(Heartbeat {}));
                }
            };
            match change {
                Ok(change) => match tell(&self.node, &change.event, self.names) {
                    Some(told) => return Ok(self.heed(told)),
                    None => continue,
                },
                Err(RecvError::Lagged(_)) => return Ok(self.heed(Told::Resync(Resync {}))),
                Err(RecvError::Closed) => {
                    return Err(Failure::new(
                        Reason::Unavailable,
                        "this node stops; ask another",
                    ));
                }
            }
        }
    }
}

impl Watcher {
    /// After what makes everybody look again, the policies may be others.
    fn heed(&mut self, told: Told) -> Told {
        if matches!(told, Told::Resync(_)) {
            self.names = may_list_keys(&self.node, &self.caller);
        }
        told
    }
}

fn may_list_keys(node: &Arc<Node>, caller: &Caller) -> bool {
    let call = Call::on_behalf(node, caller.clone(), None);
    let listing = call.authorize(Action::ListKeys, Resource::Cluster, Facts::None);
    listing.is_ok()
}

async fn barrier(node: Arc<Node>) -> Result<(), Failure> {
    node.replica.read_barrier().await?;
    Ok(())
}

/// Waits for the barrier that runs; for ever when none does.
async fn passed(
    barrier: &mut Option<BoxFuture<'static, Result<(), Failure>>>,
) -> Result<(), Failure> {
    match barrier {
        Some(running) => running.await,
        None => std::future::pending().await,
    }
}

/// What watchers are told of a change; none when no cache depends on it.
fn tell(node: &Node, event: &Event, names: bool) -> Option<Told> {
    match event {
        Event::Key(key_id) => node.replica.read(|index| {
            let key = index.key(key_id)?;
            Some(Told::KeyChanged(KeyChanged {
                key_id: Bytes::copy_from_slice(key_id.as_bytes()),
                name: if names {
                    key.name.clone()
                } else {
                    String::new()
                },
                state: convert::key_state(key.state).into(),
                primary_version: key.primary,
                epoch: key.epoch,
            }))
        }),
        // Permissions may be less now, or anything may have changed.
        Event::Policy | Event::Everything => Some(Told::Resync(Resync {})),
        Event::Device(_) | Event::Gateway(_) | Event::Identity(..) => None,
    }
}
