//! Taking connections and finding addresses: what both halves do before their stacks.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use crate::config::HostPort;
use crate::limits::UPSTREAM_CONNECT_TIMEOUT;
use crate::socket::Leg;
use crate::stack::Refusal;

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

/// Connects to a service, or to a device. A peer that resets meanwhile is not watched for: what it
/// did reach gets its last bytes and then the reset, as it would directly.
///
/// # Errors
/// Why not, as the peer is told.
pub(crate) async fn reach(upstream: &HostPort) -> Result<Leg, Refusal> {
    match tokio::time::timeout(UPSTREAM_CONNECT_TIMEOUT, connect_any(upstream)).await {
        Ok(Ok(leg)) => Ok(leg),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(Refusal::UpstreamRefused)
        }
        Ok(Err(_)) | Err(_) => Err(Refusal::UpstreamUnreachable),
    }
}

async fn connect_any(upstream: &HostPort) -> io::Result<Leg> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in resolve(upstream).await? {
        match Leg::connect(address).await {
            Ok(leg) => return Ok(leg),
            Err(error) => last = error,
        }
    }
    Err(last)
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Addresses tried of one name.
const ADDRESSES_MAX: usize = 8;
