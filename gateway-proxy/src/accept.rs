//! Taking connections and finding addresses: what both halves do before their stacks.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use crate::config::HostPort;

/// A connection as the kernel gave it.
pub(crate) struct Accepted {
    /// The connection.
    pub(crate) tcp: TcpStream,
    /// Who connected.
    pub(crate) source: SocketAddr,
}

/// The next connection. An error of one connection is not the listener's; when the process is out
/// of descriptors, the wait gives others time to close.
pub(crate) async fn next(listener: &TcpListener) -> Accepted {
    loop {
        match listener.accept().await {
            Ok((tcp, source)) => return Accepted { tcp, source },
            Err(error) => {
                crate::measure::accept_failed();
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// The addresses of a host, looked up now.
pub(crate) async fn resolve(target: &HostPort) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = target.host().parse() {
        return Ok(vec![SocketAddr::new(ip, target.port())]);
    }
    let found = tokio::net::lookup_host((target.host(), target.port())).await?;
    Ok(found.take(ADDRESSES_MAX).collect())
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Addresses tried of one name.
const ADDRESSES_MAX: usize = 8;
