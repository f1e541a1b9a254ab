//! The edge gateway: accepts devices on their routes and carries each connection through a tunnel
//! made under that device's own identity. `run` starts the same routes on every data thread.

mod carry;
mod credentials;
mod dial;
mod pool;

pub use credentials::{Credentials, DeviceTls};

use std::net::SocketAddr;
use std::sync::Arc;

use tower::{Service, ServiceBuilder};

use crate::config::Route;
use crate::drain::Watcher;
use crate::measure;
use crate::socket::Leg;
use crate::stack::{Arrival, ContainLayer, Contained, IdentifyLayer, LimitLayer, Limits, Refused};
use carry::CarryToCore;
use pool::{Pool, Reach};

/// What every data thread of an edge shares.
#[derive(Clone, Default)]
pub struct EdgeShared {
    contained: Contained,
    limits: Limits,
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
}

impl EdgeShared {
    /// The flows there are now.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl RouteShared {
    /// Puts a route together with its device's certificate.
    pub fn new(route: Route, credentials: Credentials) -> Self {
        let reach = Reach::new(route.core.clone(), credentials);
        Self {
            route: Arc::new(route),
            reach: Arc::new(reach),
        }
    }
}

/// Accepts devices of one route on one data thread until the gateway drains.
pub async fn serve(
    shared: EdgeShared,
    route: RouteShared,
    listener: tokio::net::TcpListener,
    drain: Watcher,
) {
    let pool = Arc::new(Pool::new(Arc::clone(&route.reach)));
    let _sweeper = sys::task::AbortOnDrop(pool.start_sweeper(drain.clone()));
    let device = route.route.device.clone();
    let service = route.route.service.clone();
    // Who connects here is said by the route: its listener belongs to one device.
    let identify = move |carrier: DeviceConnection| {
        let (device, service) = (device.clone(), service.clone());
        Ok::<_, Refused<DeviceConnection>>(Arrival {
            device,
            service,
            carrier,
            permit: None,
        })
    };
    // The policy for a route is the route itself; the core decides at every OPEN.
    let stack = ServiceBuilder::new()
        .layer(IdentifyLayer(identify))
        .layer(ContainLayer(shared.contained))
        .layer(LimitLayer(shared.limits))
        .service(CarryToCore::new(route.route, pool));
    loop {
        let accepted = tokio::select! {
            accepted = crate::accept::next(&listener) => accepted,
            () = drain.draining() => break,
        };
        let connection = DeviceConnection {
            destination: accepted.tcp.local_addr().ok(),
            leg: Leg::accepted(accepted.tcp),
            source: accepted.source,
        };
        let (mut stack, guard) = (stack.clone(), drain.guard());
        // The task's owner is the runtime: it ends with its flow, or when the runtime is dropped
        // at the end of a drain, which resets the leg.
        sys::task::spawn("flow", async move {
            if let Err(refused) = stack.call(connection).await {
                measure::flow_refused(refused.reason);
                tracing::info!(source = %refused.carrier.source, reason = %refused.reason,
                    "a device's connection was refused");
                // Dropping the leg resets it: the device sees a refused connection.
            }
            drop(guard);
        });
    }
}
