//! A watch that does not end: it reconnects by itself, and says so by a Resync.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tonic::{Status, Streaming};
use ward_proto::v1;
use ward_proto::v1::watch_service_client::WatchServiceClient;

use super::Client;
use super::backoff::Backoff;
use super::nodes::{Route, Target};
use crate::error::Error;
use crate::identity::Identity;
use crate::limits::{ATTEMPT_MAX, WATCH_SILENCE_MAX};
use crate::model::{WatchEvent, event_from_wire};
use crate::reason::Reason;

/// Tells of changes of keys and devices as they are applied. Made by [`Client::watch`].
pub struct Watch {
    client: Client,
    state: State,
    backoff: Backoff,
}

enum State {
    /// Kept across calls, so that a caller that gives up waiting does not start it over.
    Opening(BoxFuture<'static, Result<Open, Error>>),
    Open(Box<Open>),
}

struct Open {
    target: Target,
    events: Streaming<v1::WatchEvent>,
    /// A stream that says nothing until then is given up.
    silent_until: Instant,
}

impl Client {
    /// Watches the cluster for changes of keys and devices. Nothing is sent before the first
    /// [`Watch::next`].
    ///
    /// ```no_run
    /// # async fn example(client: kms_client::Client) {
    /// use kms_client::model::WatchEventKind;
    ///
    /// let mut watch = client.watch();
    /// loop {
    ///     match watch.next().await.kind {
    ///         WatchEventKind::KeyChanged(change) => println!("{} changed", change.key_id),
    ///         WatchEventKind::Resync => println!("drop every cached answer"),
    ///         WatchEventKind::DeviceChanged(_) | WatchEventKind::Heartbeat { .. } => {}
    ///     }
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn watch(&self) -> Watch {
        let opening = State::Opening(Box::pin(open(self.clone(), Duration::ZERO)));
        Watch {
            client: self.clone(),
            state: opening,
            backoff: Backoff::default(),
        }
    }
}

impl Watch {
    /// Waits for the next event, however long the cluster is away. May be dropped and called
    /// again without losing an event.
    pub async fn next(&mut self) -> WatchEvent {
        loop {
            match self.step().await {
                Ok(Some(event)) => {
                    self.backoff = Backoff::default();
                    return event;
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(reason = %error.reason(), "watch lost: {error}");
                    let opening = open(self.client.clone(), self.backoff.next());
                    self.state = State::Opening(Box::pin(opening));
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Option<WatchEvent>, Error> {
        match &mut self.state {
            State::Opening(opening) => {
                self.state = State::Open(Box::new(opening.await?));
                Ok(None)
            }
            State::Open(open) => match timeout_at(open.silent_until, open.events.message()).await {
                Ok(Ok(Some(event))) => {
                    open.silent_until = silence_end();
                    // Who reads after an event reads what it tells of.
                    self.client.inner.saw_index(event.applied_index);
                    event_from_wire(event).map(Some)
                }
                Ok(Ok(None)) => Err(self.client.lost(&open.target, "the node ended it")),
                Ok(Err(status)) => Err(self.client.lost(&open.target, status.message())),
                Err(_) => Err(self.client.lost(&open.target, "the node fell silent")),
            },
        }
    }
}

impl Client {
    fn lost(&self, target: &Target, why: &str) -> Error {
        self.inner.nodes.failed(target, true);
        let message = format!(
            "the watch at {} broke ({why}); trying again",
            target.address
        );
        Error::new(Reason::Unavailable, message)
    }

    async fn open_at(&self, target: &Target) -> Result<Open, Error> {
        let node = self.inner.nodes.channel(target)?;
        let mut client = WatchServiceClient::new(node.channel.clone());
        let answer = match timeout(ATTEMPT_MAX, client.watch(v1::WatchRequest {})).await {
            Ok(answer) => answer,
            Err(_) => Err(Status::deadline_exceeded("")),
        };
        match answer {
            Ok(events) => Ok(Open {
                target: target.clone(),
                events: events.into_inner(),
                silent_until: silence_end(),
            }),
            Err(status) => {
                self.inner.nodes.failed(target, true);
                Err(self.inner.nodes.read(&status, target, &node).error)
            }
        }
    }
}

/// Opens a stream at the first node that grants one.
async fn open(client: Client, pause: Duration) -> Result<Open, Error> {
    sleep(pause).await;
    let mut last = Error::new(
        Reason::Unavailable,
        "no node is known; write endpoints.toml",
    );
    for target in client.inner.nodes.targets(Route::AnyNode) {
        match client.open_at(&target).await {
            Ok(open) => return Ok(open),
            Err(error) => last = error,
        }
    }
    client.inner.reload().await;
    // Who only watches asks for nothing else that would renew its certificate. Which of the nodes
    // said that it is over does not matter.
    let nodes = &client.inner.nodes;
    let is_over = |expired: Arc<Identity>| Arc::ptr_eq(&expired, &nodes.identity());
    if nodes.last_expired().is_some_and(is_over) && client.inner.may_renew() {
        client.renew_certificate().await?;
    }
    Err(last)
}

fn silence_end() -> Instant {
    Instant::from_std(sys::clock::monotonic() + WATCH_SILENCE_MAX)
}
