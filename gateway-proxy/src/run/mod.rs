//! A gateway's life: bind everything, serve, say so, wait for the end, drain. The control runtime
//! is here; bytes move on the data threads of [`threads`].

mod contain;
mod control;
mod lock;
mod threads;

use std::io;
use std::net::{SocketAddr, TcpListener};

use kms_client::Error;
use kms_client::reason::Reason;

use crate::config::{Config, RoleConfig};
use crate::limits::DRAIN_TIMEOUT;
use crate::{drain, ops, socket};
pub use lock::is_running;
use threads::{DataThreads, Work};

/// Runs a gateway until it is told to stop, then drains it. Under a supervisor that is the end of
/// standard input, otherwise SIGINT or SIGTERM.
///
/// # Errors
/// What kept it from starting, or from going on: a reason and a sentence that says what to do.
pub fn run(config: Config, supervised: bool) -> Result<(), Error> {
    let control = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .thread_name("control")
        .enable_all()
        .build()
        .map_err(|error| internal("the control runtime cannot be started", error))?;
    let result = control.block_on(live(config, supervised));
    // Nothing on it has to be waited for: what matters was drained.
    control.shutdown_background();
    result
}

/// What is bound before anything is served, so that a port in use is told at once.
struct Bound {
    ops: TcpListener,
    /// One for each route of an edge; a core's tunnel listener, and one for each reverse listener.
    data: Vec<TcpListener>,
}

async fn live(config: Config, supervised: bool) -> Result<(), Error> {
    let stop = sys::shutdown::requested(supervised);
    let _lock = lock::take(&config.state_dir)?;
    let bound = bind(&config)?;
    let state = ops::State::default();
    ops::serve(bound.ops, state.clone())
        .map_err(|error| internal("the metrics port cannot be served", error))?;
    let mut gateway = control::prepare(&config).await?;
    let (trigger, watcher) = drain::new();
    let work = Work {
        role: gateway.role.clone(),
        drain: watcher,
    };
    let threads = DataThreads::start(config.threads, bound.data, work)
        .map_err(|error| internal("a data thread cannot be started", error))?;
    gateway.announce();
    gateway.follow_orders();
    gateway
        .rewrap()
        .map_err(|error| internal("the thread that rewraps cannot be started", error))?;
    let ended = async {
        gateway.certificates_there().await;
        gateway.policy_there().await;
        ready(&state);
        std::future::pending().await
    };
    tokio::select! {
        stopped = stop => stopped.map_err(|error| internal("the end cannot be waited for", error))?,
        never = ended => never,
    }
    state.stopping();
    tracing::info!("draining");
    let left = trigger.drain(DRAIN_TIMEOUT).await;
    if left > 0 {
        tracing::warn!(
            flows = left,
            "flows were still open at the end of the drain; resetting them"
        );
    }
    threads.stop();
    gateway.close().await;
    Ok(())
}

fn ready(state: &ops::State) {
    state.ready();
    if let Err(error) = sys::notify::ready() {
        tracing::warn!(%error, "the supervisor could not be told that the gateway is ready");
    }
    tracing::info!("ready");
}

fn bind(config: &Config) -> Result<Bound, Error> {
    let ops = bind_one(config.ops_listen, socket::listen_for_tunnels)?;
    let data = match &config.role {
        RoleConfig::Edge(edge) => edge
            .routes
            .iter()
            .map(|route| bind_one(route.listen, socket::listen_for_legs))
            .collect::<Result<_, _>>()?,
        RoleConfig::Core(core) => {
            let tunnels = bind_one(core.tunnel_listen, socket::listen_for_tunnels);
            let reverse = core.reverse.iter();
            let reverse = reverse.map(|it| bind_one(it.listen, socket::listen_for_legs));
            std::iter::once(tunnels)
                .chain(reverse)
                .collect::<Result<_, _>>()?
        }
    };
    Ok(Bound { ops, data })
}

fn bind_one(
    address: SocketAddr,
    listen: fn(SocketAddr) -> io::Result<TcpListener>,
) -> Result<TcpListener, Error> {
    listen(address).map_err(|error| {
        let (reason, remedy) = if error.kind() == io::ErrorKind::AddrInUse {
            (
                Reason::PortInUse,
                "stop what listens there, or choose another port",
            )
        } else {
            (Reason::InvalidArgument, "choose an address of this host")
        };
        let message = format!("cannot listen on {address}: {error}; {remedy}");
        Error::new(reason, message).with_source(error)
    })
}

fn internal(message: &str, error: io::Error) -> Error {
    Error::new(Reason::Internal, format!("{message}: {error}")).with_source(error)
}

/// The control runtime renews certificates and serves metrics: one thread is plenty.
const CONTROL_THREADS: usize = 1;
