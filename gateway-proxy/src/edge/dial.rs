//! Makes a fresh tunnel to a core, as one device. Used by the pool, for flows and for spares.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::error::Elapsed;

use super::credentials::DeviceTls;
use crate::accept::resolve;
use crate::config::HostPort;
use crate::limits::HANDSHAKE_TIMEOUT;
use crate::socket;
use crate::tunnel::Tunnel;
use crate::tunnel::handshake::{self, HandshakeError};

/// Why there is no tunnel.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    /// The device has no certificate yet.
    #[error("the device has no certificate yet")]
    NoCertificate,
    /// The core is not reached.
    #[error("the core gateway is not reached")]
    Connect(#[from] io::Error),
    /// The core did not answer in time.
    #[error("the core gateway did not answer within {HANDSHAKE_TIMEOUT:?}")]
    TooSlow(#[from] Elapsed),
    /// The core is not the one it must be, or refuses the device's certificate.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

/// Connects and shakes hands.
pub(super) async fn dial(core: &HostPort, tls: &DeviceTls) -> Result<Tunnel, DialError> {
    let tcp = tokio::time::timeout(HANDSHAKE_TIMEOUT, connect(core)).await??;
    Ok(handshake::connect(tcp, Arc::clone(&tls.config)).await?)
}

async fn connect(core: &HostPort) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in resolve(core).await? {
        match socket::connect_tunnel(address).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = error,
        }
    }
    Err(last)
}
