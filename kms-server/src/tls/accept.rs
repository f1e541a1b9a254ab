//! The accept loop: shakes hands within bounds and hands connections to gRPC.
//!
//! ```text
//! accept ─▶ place among the connections? ─no─▶ close
//!              │ yes
//!              ▼
//!           handshake task (bounded number, 5 s) ─▶ queue ─▶ tonic
//! ```

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;

use crate::limits::{ACCEPT_PAUSE, ACCEPTED_QUEUE_MAX, HANDSHAKE_TIMEOUT, HANDSHAKES_MAX};
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
}

impl Acceptor {
    /// Starts accepting; ends when the answered stream is dropped.
    pub(crate) fn start(self) -> Incoming {
        let (accepted, incoming) = mpsc::channel(ACCEPTED_QUEUE_MAX);
        // The task owns itself: it ends with the receiver, which the gRPC server owns.
        drop(sys::task::spawn("accept", self.run(accepted)));
        ReceiverStream::new(incoming)
    }

    async fn run(self, accepted: mpsc::Sender<io::Result<Connection>>) {
        let places = Arc::new(Semaphore::new(self.connections_max));
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
        loop {
            let Ok(turn) = Arc::clone(&handshakes).acquire_owned().await else {
                return;
            };
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
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                metrics::counter!("ward_connections_refused_total", "listener" => self.name)
                    .increment(1);
                continue;
            };
            let acceptor = TlsAcceptor::from(self.config.load_full());
            let shake = shake(acceptor, stream, address, place, accepted.clone(), turn);
            drop(sys::task::spawn("handshake", shake));
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

async fn shake(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    address: SocketAddr,
    place: OwnedSemaphorePermit,
    accepted: mpsc::Sender<io::Result<Connection>>,
    turn: OwnedSemaphorePermit,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%address, %error, "the connection died before its handshake");
        return;
    }
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => {
            drop(turn);
            // The receiver is gone only when the node stops; the connection then closes.
            drop(
                accepted
                    .send(Ok(Connection::new(stream, address, place)))
                    .await,
            );
        }
        Ok(Err(error)) => tracing::info!(%address, %error, "a handshake failed"),
        Err(_) => tracing::info!(%address, "a handshake took too long"),
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
