//! The running listeners of a node, and their orderly end.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::limits::{
    API_CONNECTIONS_MAX, DRAIN_DEADLINE, HANDOVER_DEADLINE, JOIN_CONNECTIONS_MAX,
    JOIN_CONNECTIONS_PER_ADDRESS_MAX, PEER_CONNECTIONS_MAX,
};
use crate::node::NodeError;
use crate::node::assembly::Assembled;
use crate::node::context::Node;
use crate::node::listeners::Listeners;
use crate::node::servers::{serve_api, serve_join, serve_peers};
use crate::node::succession::hand_over;
use crate::ops::Ops;
use crate::tls::accept::Acceptor;

/// The listeners, served.
pub(super) struct Serving {
    /// Clients and joiners: drained first. Who accepts is in here too: a node that has ended holds
    /// no port.
    outer: JoinSet<&'static str>,
    /// Peers and operators: needed until Raft is closed.
    inner: JoinSet<&'static str>,
    stop_inner: CancellationToken,
}

impl Serving {
    /// Serves all four.
    pub(super) fn start(assembled: &Assembled, listeners: Listeners, ops: Ops) -> Self {
        let (node, configs) = (&assembled.node, &assembled.configs);
        let stop_inner = CancellationToken::new();
        let (mut outer, mut inner) = (JoinSet::new(), JoinSet::new());

        let api = Acceptor {
            name: "api",
            listener: listeners.api.listener,
            config: Arc::clone(&configs.api),
            connections_max: API_CONNECTIONS_MAX,
            per_address_max: API_CONNECTIONS_MAX,
        };
        let stop = node.draining.clone().cancelled_owned();
        let (accepted, accepting) = api.start();
        outer.spawn(accepting.map(|()| "api"));
        outer.spawn(serve_api(Arc::clone(node), accepted, stop).map(|end| ended("api", end)));

        let join = Acceptor {
            name: "join",
            listener: listeners.join.listener,
            config: Arc::clone(&configs.join),
            connections_max: JOIN_CONNECTIONS_MAX,
            per_address_max: JOIN_CONNECTIONS_PER_ADDRESS_MAX,
        };
        let stop = node.draining.clone().cancelled_owned();
        let (accepted, accepting) = join.start();
        outer.spawn(accepting.map(|()| "join"));
        outer.spawn(serve_join(Arc::clone(node), accepted, stop).map(|end| ended("join", end)));

        let peer = Acceptor {
            name: "peer",
            listener: listeners.peer.listener,
            config: Arc::clone(&configs.peer),
            connections_max: PEER_CONNECTIONS_MAX,
            per_address_max: PEER_CONNECTIONS_MAX,
        };
        let stop = stop_inner.clone().cancelled_owned();
        let known = Arc::clone(&assembled.known);
        let (accepted, accepting) = peer.start();
        inner.spawn(accepting.map(|()| "peer"));
        let peers = serve_peers(Arc::clone(node), known, accepted, stop);
        inner.spawn(peers.map(|end| ended("peer", end)));

        let stop = stop_inner.clone().cancelled_owned();
        let pages = ops.serve(listeners.ops.listener, stop);
        inner.spawn(pages.map(|end| ended("ops", end)));
        Self {
            outer,
            inner,
            stop_inner,
        }
    }

    /// Waits until a listener ends by itself, which none should.
    pub(super) async fn failed(&mut self) -> NodeError {
        let listener = tokio::select! {
            Some(ended) = self.outer.join_next() => ended,
            Some(ended) = self.inner.join_next() => ended,
        };
        NodeError::Serve {
            listener: listener.unwrap_or("panicked"),
        }
    }

    /// Lets another voter lead, while everything is served still: whoever writes meanwhile is sent
    /// there at once, and nobody waits for an election.
    pub(super) async fn step_down(&self, node: &Node) {
        within(HANDOVER_DEADLINE, "leadership", hand_over(node)).await;
    }

    /// Ends it: no request is taken any more, those under way finish within the deadline, Raft
    /// closes, then peers are served no longer and the audit log is closed.
    pub(super) async fn drain(mut self, node: &Node) {
        node.draining.cancel();
        within(DRAIN_DEADLINE, "clients", all(&mut self.outer)).await;
        within(DRAIN_DEADLINE, "writes", node.writes.finished()).await;
        within(DRAIN_DEADLINE, "raft", node.replica.shutdown()).await;
        self.stop_inner.cancel();
        within(HANDOVER_DEADLINE, "peers", all(&mut self.inner)).await;
        node.audit.close().await;
    }
}

/// The longest that stopping waits: its steps, one after the other.
pub const STOP_MAX: Duration =
    Duration::from_secs(3 * DRAIN_DEADLINE.as_secs() + 2 * HANDOVER_DEADLINE.as_secs());

async fn all(tasks: &mut JoinSet<&'static str>) {
    while tasks.join_next().await.is_some() {}
}

/// Waits for `work`, and goes on without it when it takes too long: a node that stops, stops.
async fn within(deadline: Duration, what: &'static str, work: impl Future<Output = ()>) {
    if tokio::time::timeout(deadline, work).await.is_err() {
        tracing::warn!(what, "took too long while the node stopped");
    }
}

fn ended<E: std::fmt::Display>(listener: &'static str, end: Result<(), E>) -> &'static str {
    if let Err(error) = end {
        tracing::error!(listener, %error, "a listener failed");
    }
    listener
}
