//! An edge and a core in this process, on ports of the system's choice, each on a data thread of
//! its own. Dropping the pair stops both.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use gateway_proxy::capture::NoCapture;
use gateway_proxy::config::{CoreConfig, ReverseListener, ReverseRoute, Route, Service};
use gateway_proxy::contain::{Gates, Standing};
use gateway_proxy::core::{self, CoreShared};
use gateway_proxy::drain;
use gateway_proxy::edge::{self, Credentials, EdgeShared, Reach, ReverseShared, RouteShared};
use gateway_proxy::socket;
use kms_client::identity::{Identity, Role};
use kms_client::tls::{ALPN_TUNNEL, Dates, ExpectedPeer, client_config, server_config};

use crate::authority::{Authority, TRUST_DOMAIN};
use crate::relay::{Relay, RelayHandle};

/// Everything waits at most this long; nothing is expected to take a hundredth of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// See the module.
pub(crate) struct Pair {
    /// Where the device connects to.
    pub(crate) edge: SocketAddr,
    /// The core's tunnel listener.
    pub(crate) core: SocketAddr,
    /// The server behind the core.
    pub(crate) server: TcpListener,
    /// Where the server connects to, to reach the device.
    pub(crate) reverse: SocketAddr,
    /// The device's own server.
    pub(crate) device_server: TcpListener,
    /// The device's certificate at the edge.
    pub(crate) credentials: Credentials,
    /// What the edge holds flows to; open for the device.
    pub(crate) edge_gates: Gates,
    /// What the core holds flows to; open for the device.
    pub(crate) core_gates: Gates,
    _edge: Half,
    core_half: Half,
    /// A data thread of its own, so that servers' connections are handed over.
    listening: Half,
}

/// How a test's pair differs from the usual one.
pub(crate) struct Setup {
    pub(crate) authority: Authority,
    pub(crate) device: Option<Identity>,
    /// Whether the edge has the device's certificate already.
    pub(crate) enrolled: bool,
    pub(crate) core: Option<Identity>,
    pub(crate) allowed: &'static str,
    pub(crate) service: &'static str,
    pub(crate) protocol: &'static str,
    pub(crate) upstream: Option<SocketAddr>,
    pub(crate) through: Option<RelayHandle>,
    /// What stands in the core's place.
    pub(crate) dialled: Option<SocketAddr>,
    /// Whether the edge offers tunnels for flows towards the device, and where that is, when not
    /// where it listens.
    pub(crate) reverse: Option<Option<SocketAddr>>,
    /// Whose flows the core's reverse listener carries.
    pub(crate) reverse_device: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            authority: Authority::new(),
            device: None,
            enrolled: true,
            core: None,
            allowed: "mon-1",
            service: "lab",
            protocol: "tcp",
            upstream: None,
            through: None,
            dialled: None,
            reverse: None,
            reverse_device: "mon-1",
        }
    }
}

impl Pair {
    pub(crate) fn new() -> Self {
        Setup::default().start()
    }

    /// A device's connection, and the server's end of it.
    pub(crate) fn connect(&self) -> (TcpStream, TcpStream) {
        let device = self.device();
        (device, accept(&self.server))
    }

    /// Drains the core; answers how many flows were left.
    pub(crate) fn drain_core(&mut self) -> usize {
        self.core_half.drain()
    }

    /// Ends the thread on which servers' connections are accepted.
    pub(crate) fn stop_listening(&mut self) {
        self.listening.stop();
    }

    /// A device's connection.
    pub(crate) fn device(&self) -> TcpStream {
        patient(TcpStream::connect(self.edge).unwrap())
    }
}

impl Setup {
    /// Starts it with a relay between edge and core.
    pub(crate) fn relayed(self) -> (Relay, Pair) {
        let relay = Relay::start();
        let through = Some(relay.handle());
        let pair = Self { through, ..self }.start();
        (relay, pair)
    }

    pub(crate) fn start(mut self) -> Pair {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = self
            .upstream
            .unwrap_or_else(|| server.local_addr().unwrap());
        let core_identity = self
            .core
            .take()
            .unwrap_or_else(|| self.authority.identity("gateway", "core"));
        let [edge_gates, core_gates] = [(); 2].map(|()| open_gates());
        let (core_half, listening, core, reverse) =
            start_core(&core_identity, &self, upstream, core_gates.clone());
        let device = self
            .device
            .take()
            .unwrap_or_else(|| self.authority.identity("device", "mon-1"));
        let credentials = Credentials::default();
        if self.enrolled {
            credentials.replace(device_tls(&device));
        }
        let towards = self
            .through
            .take()
            .map_or(core, |relay| relay.relay_to(core));
        let towards = self.dialled.unwrap_or(towards);
        let device_server = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = self
            .reverse
            .map(|elsewhere| elsewhere.unwrap_or_else(|| device_server.local_addr().unwrap()));
        let (edge_half, edge) = start_edge(
            towards,
            &self,
            target,
            credentials.clone(),
            edge_gates.clone(),
        );
        Pair {
            edge,
            core,
            server,
            reverse,
            device_server,
            credentials,
            edge_gates,
            core_gates,
            _edge: edge_half,
            core_half,
            listening,
        }
    }
}

/// What an edge connects with.
pub(crate) fn device_tls(device: &Identity) -> Arc<rustls::ClientConfig> {
    let core = ExpectedPeer::of(TRUST_DOMAIN, &[Role::Gateway]).with_id("core");
    Arc::new(client_config(device, core, ALPN_TUNNEL).unwrap())
}

/// An address where nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// The server's end of the next connection.
pub(crate) fn accept(server: &TcpListener) -> TcpStream {
    server.set_nonblocking(true).unwrap();
    let accepted = until("the server is connected to", || server.accept().ok());
    accepted.0.set_nonblocking(false).unwrap();
    patient(accepted.0)
}

/// Waits for a condition.
pub(crate) fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start: Instant = sys::clock::monotonic();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(
            start.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {what}"
        );
        std::thread::yield_now();
    }
}

/// Sends bytes one way and reads them at the other end.
pub(crate) fn pass(from: &mut TcpStream, to: &mut TcpStream, bytes: &[u8]) {
    from.write_all(bytes).unwrap();
    let mut received = vec![0; bytes.len()];
    to.read_exact(&mut received).unwrap();
    assert!(
        received == bytes,
        "{} bytes changed on the way",
        bytes.len()
    );
}

fn patient(tcp: TcpStream) -> TcpStream {
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.set_write_timeout(Some(PATIENCE)).unwrap();
    tcp.set_nodelay(true).unwrap();
    tcp
}

/// One half on its thread.
struct Half {
    runtime: Option<tokio::runtime::Runtime>,
    trigger: Option<drain::Trigger>,
}

impl Half {
    fn start<F: Future<Output = ()> + Send + 'static>(
        serve: impl FnOnce(drain::Watcher) -> F,
    ) -> Self {
        let (trigger, watcher) = drain::new();
        let mut half = Self::beside(serve(watcher));
        half.trigger = Some(trigger);
        half
    }

    /// Another thread of a half, which drains with it.
    fn beside(serve: impl Future<Output = ()> + Send + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("half")
            .enable_all()
            .build()
            .unwrap();
        let guard = runtime.enter();
        sys::task::spawn("half", serve);
        drop(guard);
        Self {
            runtime: Some(runtime),
            trigger: None,
        }
    }

    /// Ends the thread, and with it everything that it drives.
    fn stop(&mut self) {
        self.runtime.take().unwrap().shutdown_timeout(PATIENCE);
    }

    fn drain(&mut self) -> usize {
        let (runtime, trigger) = (self.runtime.as_ref().unwrap(), self.trigger.take());
        runtime.block_on(trigger.unwrap().drain(PATIENCE))
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        drop(self.trigger.take());
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Gates that let the device through: its lease is over, and its allowance lasts as long as any
/// test.
fn open_gates() -> Gates {
    let gates = Gates::default();
    gates.lease().extend(sys::clock::boottime());
    let standing = Standing {
        allowance: Duration::from_secs(3600),
        ..Standing::default()
    };
    gates.apply(&"mon-1".parse().unwrap(), standing);
    gates
}

fn start_core(
    identity: &Identity,
    setup: &Setup,
    upstream: SocketAddr,
    gates: Gates,
) -> (Half, Half, SocketAddr, SocketAddr) {
    let service = Service {
        name: "lab".parse().unwrap(),
        protocol: setup.protocol.parse().unwrap(),
        upstream: upstream.to_string().parse().unwrap(),
        devices: [setup.allowed.parse().unwrap()].into(),
    };
    let reverse = Arc::new(ReverseListener {
        device: setup.reverse_device.parse().unwrap(),
        protocol: setup.protocol.parse().unwrap(),
        listen: "127.0.0.1:0".parse().unwrap(),
        service: "back".parse().unwrap(),
    });
    let config = CoreConfig {
        tunnel_listen: "127.0.0.1:0".parse().unwrap(),
        services: vec![service],
        reverse: vec![Arc::clone(&reverse)],
        archive_dir: None,
    };
    let devices = ExpectedPeer::of(TRUST_DOMAIN, &[Role::Device]);
    let tls = server_config(identity, devices, Dates::Checked, ALPN_TUNNEL).unwrap();
    let shared = CoreShared::new(
        &config,
        Arc::new(ArcSwap::from_pointee(tls)),
        Arc::new(NoCapture),
        gates,
    );
    let listener = socket::listen_for_tunnels(config.tunnel_listen).unwrap();
    let address = listener.local_addr().unwrap();
    let beside = socket::listen_for_legs(reverse.listen).unwrap();
    let beside_address = beside.local_addr().unwrap();
    let mut listening = None;
    let half = Half::start(|watcher| {
        let (shared_too, watcher_too) = (shared.clone(), watcher.clone());
        listening = Some(Half::beside(async move {
            let beside = tokio::net::TcpListener::from_std(beside).unwrap();
            core::listen(shared_too, reverse, beside, watcher_too).await;
        }));
        async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            core::serve(shared, listener, watcher).await;
        }
    });
    (half, listening.unwrap(), address, beside_address)
}

fn start_edge(
    core: SocketAddr,
    setup: &Setup,
    target: Option<SocketAddr>,
    credentials: Credentials,
    gates: Gates,
) -> (Half, SocketAddr) {
    let route = Route {
        device: "mon-1".parse().unwrap(),
        protocol: setup.protocol.parse().unwrap(),
        listen: "127.0.0.1:0".parse().unwrap(),
        core: core.to_string().parse().unwrap(),
        core_id: "core".parse().unwrap(),
        service: setup.service.parse().unwrap(),
    };
    let listener = socket::listen_for_legs(route.listen).unwrap();
    let address = listener.local_addr().unwrap();
    let reach = Reach::new(route.core.clone(), credentials, Arc::default());
    let reverse = target.map(|target| ReverseRoute {
        device: route.device.clone(),
        protocol: route.protocol,
        target: target.to_string().parse().unwrap(),
        core: route.core.clone(),
        core_id: route.core_id.clone(),
        service: "back".parse().unwrap(),
    });
    let reverse = reverse.map(|reverse| ReverseShared::new(reverse, Arc::clone(&reach)));
    let route = RouteShared::new(route, reach);
    let half = Half::start(async move |watcher| {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let routes = vec![(route, listener)];
        let reverse = reverse.into_iter().collect();
        edge::serve(EdgeShared::new(gates), routes, reverse, watcher).await;
    });
    (half, address)
}
