//! The accept loop: shakes hands within bounds and hands connections to gRPC.
//!
//! ```text
//! accept ─▶ a handshake for this address, now? ─no─▶ close
//!              │ yes
//!              ▼
//!           handshake task (5 s) ─▶ place among the connections? ─no─▶ close
//!                                        │ yes
//!                                        ▼
//!                                     queue ─▶ tonic
//! ```
//!
//! Accepting never waits for anybody: who is silent holds a handshake of its own address's share,
//! and a place among the connections is given only to who has shaken hands.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;

use arc_swap::ArcSwap;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;

use crate::limits::{
    ACCEPT_PAUSE, ACCEPTED_QUEUE_MAX, HANDSHAKE_TIMEOUT, HANDSHAKES_MAX,
    HANDSHAKES_PER_ADDRESS_MAX, HANDSHAKES_PER_SECOND,
};
use crate::shares::{Share, Shares};
use crate::tls::connection::Connection;

/// What gRPC is served from.
pub(crate) type Incoming = ReceiverStream<io::Result<Connection>>;

/// A listener with its configuration, which may be replaced while it runs.
pub(crate) struct Acceptor {
    /// Names it in the log.
    pub(crate) name: &'static str,
    /// What accepts.
    pub(crate) listener: TcpListener,
    /// Read at each handshake, so that a renewed certificate counts from the next one on.
    pub(crate) config: Arc<ArcSwap<ServerConfig>>,
    /// Connections at once.
    pub(crate) connections_max: usize,
    /// Of them, from one address.
    pub(crate) per_address_max: usize,
}

impl Acceptor {
    /// What is accepted, and the accepting itself, which lets go of the port when it ends: once the
    /// stream is dropped.
    pub(crate) fn start(self) -> (Incoming, impl Future<Output = ()> + Send + 'static) {
        let (accepted, incoming) = mpsc::channel(ACCEPTED_QUEUE_MAX);
        (ReceiverStream::new(incoming), self.run(accepted))
    }

    async fn run(self, accepted: mpsc::Sender<io::Result<Connection>>) {
        let places = Arc::new(Shares::new(self.connections_max, self.per_address_max));
        let doorman = Doorman::new();
        loop {
            let stream = tokio::select! {
                () = accepted.closed() => return,
                stream = self.listener.accept() => stream,
            };
            let (stream, address) = match stream {
                Ok(connection) => connection,
                Err(error) => {
                    self.survive(&error).await;
                    continue;
                }
            };
            let Some(turn) = doorman.admit(address.ip()) else {
                refused(self.name);
                continue;
            };
            let handshake = Handshake {
                listener: self.name,
                acceptor: TlsAcceptor::from(self.config.load_full()),
                stream,
                address,
                places: Arc::clone(&places),
                accepted: accepted.clone(),
            };
            drop(sys::task::spawn("handshake", handshake.shake(turn)));
        }
    }

    /// A process without file descriptors or memory pauses and goes on: its listener must still
    /// be there when the shortage ends. A connection that died in the queue costs nothing.
    async fn survive(&self, error: &io::Error) {
        let exhausted = matches!(
            error.raw_os_error(),
            Some(
                libc_errors::EMFILE
                    | libc_errors::ENFILE
                    | libc_errors::ENOBUFS
                    | libc_errors::ENOMEM
            )
        );
        tracing::warn!(listener = self.name, %error, "a connection was not accepted");
        if exhausted {
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }
}

/// Who may begin a handshake.
struct Doorman {
    rate: DefaultDirectRateLimiter,
    under_way: Shares<IpAddr>,
}

impl Doorman {
    fn new() -> Self {
        Self {
            rate: RateLimiter::direct(Quota::per_second(RATE)),
            under_way: Shares::new(HANDSHAKES_MAX, HANDSHAKES_PER_ADDRESS_MAX),
        }
    }

    /// The share first: who has used its own up does not use up the rate.
    fn admit(&self, address: IpAddr) -> Option<Share<IpAddr>> {
        let turn = self.under_way.take(source(address)).ok()?;
        self.rate.check().is_ok().then_some(turn)
    }
}

/// Whom an address stands for: of IPv6, one subscriber has a whole /64.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from(network))
        }
    }
}

const RATE: NonZeroU32 = match NonZeroU32::new(HANDSHAKES_PER_SECOND) {
    Some(rate) => rate,
    None => panic!("the rate is not zero; checked when compiled"),
};

fn refused(listener: &'static str) {
    metrics::counter!("ward_connections_refused_total", "listener" => listener).increment(1);
}

/// A connection on its way to gRPC.
struct Handshake {
    listener: &'static str,
    acceptor: TlsAcceptor,
    stream: TcpStream,
    address: SocketAddr,
    places: Arc<Shares<IpAddr>>,
    accepted: mpsc::Sender<io::Result<Connection>>,
}

impl Handshake {
    async fn shake(self, turn: Share<IpAddr>) {
        let address = self.address;
        if let Err(error) = self.stream.set_nodelay(true) {
            tracing::debug!(%address, %error, "the connection died before its handshake");
            return;
        }
        let shaking = self.acceptor.accept(self.stream);
        let stream = match tokio::time::timeout(HANDSHAKE_TIMEOUT, shaking).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::info!(%address, %error, "a handshake failed");
                return;
            }
            Err(_) => {
                tracing::info!(%address, "a handshake took too long");
                return;
            }
        };
        drop(turn);
        let Ok(place) = self.places.take(source(address.ip())) else {
            refused(self.listener);
            return;
        };
        // The receiver is gone only when the node stops; the connection then closes.
        let connection = Connection::new(stream, address, place);
        drop(self.accepted.send(Ok(connection)).await);
    }
}

/// The four shortages that pass by themselves, by their Linux numbers.
mod libc_errors {
    use rustix::io::Errno;

    pub(super) const EMFILE: i32 = Errno::MFILE.raw_os_error();
    pub(super) const ENFILE: i32 = Errno::NFILE.raw_os_error();
    pub(super) const ENOBUFS: i32 = Errno::NOBUFS.raw_os_error();
    pub(super) const ENOMEM: i32 = Errno::NOMEM.raw_os_error();
}
