//! The core gateway: accepts tunnels, checks every flow they open, connects it to its service.
//! `run` calls [`serve`] on each data thread.

mod connect;
mod offers;
mod reverse;
mod services;
mod session;

pub use reverse::listen;
pub use services::Services;

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::sync::Semaphore;

use crate::capture::CaptureSink;
use crate::config::CoreConfig;
use crate::contain::Gates;
use crate::drain::Watcher;
use crate::limits::{HANDSHAKES_MAX, TUNNELS_MAX};
use crate::refuse::Refusals;
use crate::stack::Limits;
use offers::Offers;

/// What every data thread of a core shares.
#[derive(Clone)]
pub struct CoreShared {
    services: Arc<Services>,
    tls: Arc<ArcSwap<ServerConfig>>,
    capture: Arc<dyn CaptureSink>,
    gates: Gates,
    limits: Limits,
    offers: Arc<Offers>,
    refusals: Refusals,
    tunnels: Arc<Semaphore>,
}

impl CoreShared {
    /// Puts together what a checked configuration says.
    pub fn new(
        config: &CoreConfig,
        tls: Arc<ArcSwap<ServerConfig>>,
        capture: Arc<dyn CaptureSink>,
        gates: Gates,
    ) -> Self {
        Self {
            services: Arc::new(Services::new(config)),
            tls,
            capture,
            gates,
            limits: Limits::default(),
            offers: Arc::new(Offers::new(&config.reverse)),
            refusals: Refusals::default(),
            tunnels: Arc::new(Semaphore::new(TUNNELS_MAX)),
        }
    }

    /// The flows there are now.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// Accepts tunnels on one data thread until the gateway drains; then waits for its tunnels.
pub async fn serve(shared: CoreShared, listener: tokio::net::TcpListener, drain: Watcher) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = crate::accept::next(&listener) => accepted,
            () = drain.draining() => break,
        };
        let Ok(place) = Arc::clone(&shared.tunnels).try_acquire_owned() else {
            crate::measure::tunnel_refused("TUNNELS_MAX");
            continue;
        };
        let (shared, drain) = (shared.clone(), drain.clone());
        let handshakes = Arc::clone(&handshakes);
        // The task's owner is the runtime: it ends with its tunnel, or when the runtime is dropped
        // at the end of a drain.
        sys::task::spawn("tunnel", async move {
            session::serve(shared, accepted.tcp, handshakes, drain).await;
            drop(place);
        });
    }
}
