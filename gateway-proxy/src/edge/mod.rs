//! The edge gateway: accepts devices on their routes and carries each connection through a tunnel
//! made under that device's own identity. `run` starts the same routes on every data thread.

mod carry;
mod credentials;
mod devices;
mod dial;
mod health;
mod places;
mod pool;
mod pulse;
mod reverse;

pub use credentials::{Credentials, DeviceTls};
pub use devices::DeviceStores;
pub use pool::Reach;
pub use pulse::Pulse;
pub use reverse::ReverseShared;

use std::net::SocketAddr;
use std::sync::Arc;

use sys::task::AbortOnDrop;
use tower::{Service, ServiceBuilder};

use crate::config::Route;
use crate::contain::Gates;
use crate::drain::Watcher;
use crate::measure;
use crate::refuse::{Opening, Refusals};
use crate::socket::Leg;
use crate::stack::{ContainLayer, IdentifyLayer, LimitLayer, Limits, by_listener};
use carry::CarryToCore;
use pool::Pool;

/// What every data thread of an edge shares.
#[derive(Clone)]
pub struct EdgeShared {
    gates: Gates,
    limits: Limits,
    refusals: Refusals,
}

/// A route with what it needs, shared by every data thread.
#[derive(Clone)]
pub struct RouteShared {
    route: Arc<Route>,
    reach: Arc<Reach>,
}

/// A device's connection.
pub(crate) struct DeviceConnection {
    leg: Leg,
    source: SocketAddr,
    destination: Option<SocketAddr>,
    opening: Opening,
}

impl EdgeShared {
    /// Its flows enter through these gates.
    pub fn new(gates: Gates) -> Self {
        Self {
            gates,
            limits: Limits::default(),
            refusals: Refusals::default(),
        }
    }

    /// The flows there are now.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl RouteShared {
    /// A route, and how it reaches its core.
    pub fn new(route: Route, reach: Arc<Reach>) -> Self {
        Self {
            route: Arc::new(route),
            reach,
        }
    }
}

/// Serves routes on one data thread until the gateway drains.
pub async fn serve(
    shared: EdgeShared,
    routes: Vec<(RouteShared, tokio::net::TcpListener)>,
    reverse: Vec<ReverseShared>,
    drain: Watcher,
) {
    let mut pools: Vec<Arc<Pool>> = Vec::new();
    let mut pool_of = |reach: &Arc<Reach>| {
        let known = pools.iter().find(|pool| pool.reaches(reach)).cloned();
        known.unwrap_or_else(|| {
            let pool = Arc::new(Pool::new(Arc::clone(reach)));
            pools.push(Arc::clone(&pool));
            pool
        })
    };
    let mut serving = Vec::with_capacity(routes.len());
    for (route, listener) in routes {
        let pool = pool_of(&route.reach);
        serving.push(serve_route(
            shared.clone(),
            route.route,
            pool,
            listener,
            drain.clone(),
        ));
    }
    let mut offering = Vec::with_capacity(reverse.len());
    for reverse in reverse {
        let pool = pool_of(&reverse.reach);
        offering.push(reverse::offer(shared.clone(), reverse, pool, drain.clone()));
    }
    let sweepers = pools
        .iter()
        .map(|pool| AbortOnDrop(pool.start_sweeper(drain.clone())));
    let _sweepers: Vec<_> = sweepers.collect();
    let (serving, offering) = (
        futures::future::join_all(serving),
        futures::future::join_all(offering),
    );
    futures::join!(serving, offering);
}

async fn serve_route(
    shared: EdgeShared,
    route: Arc<Route>,
    pool: Arc<Pool>,
    listener: tokio::net::TcpListener,
    drain: Watcher,
) {
    let protocol = route.protocol;
    let identify = by_listener(route.device.clone(), route.service.clone());
    // The policy for a route is the route itself; the core decides at every OPEN.
    let stack = ServiceBuilder::new()
        .layer(IdentifyLayer(identify))
        .layer(ContainLayer(shared.gates))
        .layer(LimitLayer(shared.limits))
        .service(CarryToCore::new(route, pool, shared.refusals.clone()));
    loop {
        let accepted = tokio::select! {
            accepted = crate::accept::next(&listener) => accepted,
            () = drain.draining() => break,
        };
        let connection = DeviceConnection {
            destination: accepted.tcp.local_addr().ok(),
            leg: Leg::accepted(accepted.tcp),
            source: accepted.source,
            opening: Opening::new(protocol),
        };
        let (mut stack, guard) = (stack.clone(), drain.guard());
        let refusals = shared.refusals.clone();
        // The task's owner is the runtime: it ends with its flow, or when the runtime is dropped
        // at the end of a drain, which resets the leg.
        sys::task::spawn("flow", async move {
            if let Err(refused) = stack.call(connection).await {
                measure::flow_refused(refused.reason);
                tracing::info!(source = %refused.carrier.source, reason = %refused.reason,
                    "a device's connection was refused");
                let DeviceConnection { leg, opening, .. } = refused.carrier;
                refusals.refuse(leg, opening, refused.reason).await;
            }
            drop(guard);
        });
    }
}
