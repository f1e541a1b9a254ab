//! Health and metrics, plain HTTP on a port of their own: `/live`, `/ready`, `/health`,
//! `/metrics`. Nothing here names a key, a device or a caller.

mod listener;
mod metrics;
mod told;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::routing::get;
use tokio::net::TcpListener;

use self::listener::Bounded;
use self::told::Told;
use crate::limits::{OPS_CONNECTIONS_MAX, OPS_STATUS_LIFE};
use crate::node::context::Node;
use crate::replica::ReplicaRole;

/// What the pages tell about.
#[derive(Clone)]
pub(crate) struct Ops {
    node: Arc<Node>,
    ready: Arc<AtomicBool>,
    told: Arc<Told>,
}

impl Ops {
    /// Tells about `node`; not ready until told so.
    pub(crate) fn new(node: Arc<Node>) -> Self {
        metrics::install();
        Self {
            node,
            ready: Arc::new(AtomicBool::new(false)),
            told: Arc::new(Told::new(OPS_STATUS_LIFE)),
        }
    }

    /// Lets `/ready` answer 200 from now on, or no longer.
    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    fn has_stopped(&self) -> bool {
        self.node.replica.status().role == ReplicaRole::Stopped
    }

    /// Serves until `stop`.
    ///
    /// # Errors
    /// When the listener fails.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let pages = Router::new()
            .route("/live", get(live))
            .route("/ready", get(ready))
            .route("/health", get(health))
            .route("/metrics", get(metrics_page))
            .with_state(self);
        axum::serve(Bounded::new(listener, OPS_CONNECTIONS_MAX), pages)
            .with_graceful_shutdown(stop)
            .await
    }
}

/// A node whose replica has ended is about to end itself; whoever looks meanwhile is told.
async fn live(State(ops): State<Ops>) -> (StatusCode, &'static str) {
    match ops.has_stopped() {
        true => (StatusCode::SERVICE_UNAVAILABLE, "stopped\n"),
        false => (StatusCode::OK, "live\n"),
    }
}

async fn ready(State(ops): State<Ops>) -> (StatusCode, &'static str) {
    if ops.ready.load(Ordering::Acquire) && !ops.has_stopped() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready\n")
    }
}

async fn health(State(ops): State<Ops>) -> ([(HeaderName, &'static str); 1], String) {
    let status = ops.node.replica.status();
    let health = serde_json::json!({
        "node": ops.node.id.0,
        "role": role(status.role),
        "leader": status.leader.map(|leader| leader.0),
        "sealed": ops.node.vault.is_sealed(),
        "audit_available": ops.node.audit.is_available(),
        "applied_index": status.applied_index,
        "ready": ops.ready.load(Ordering::Acquire),
    });
    ([(CONTENT_TYPE, "application/json")], health.to_string())
}

async fn metrics_page(State(ops): State<Ops>) -> String {
    metrics::page(&ops.node, &ops.told).await
}

/// The word for a role, in the pages and in metrics.
fn role(role: ReplicaRole) -> &'static str {
    match role {
        ReplicaRole::Leader => "leader",
        ReplicaRole::Follower => "follower",
        ReplicaRole::Learner => "learner",
        ReplicaRole::Candidate => "candidate",
        ReplicaRole::Stopped => "stopped",
    }
}
