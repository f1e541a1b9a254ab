//! Makes a tunnel: the TLS handshake over a fresh connection, at either end. Called by the edge
//! when it connects and by the core when it accepts.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use kms_client::identity::CertificateFacts;
use rustls::{ClientConfig, ServerConfig};
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;

use super::inbox::End;
use super::{Tunnel, TunnelError};
use crate::limits::HANDSHAKE_TIMEOUT;
use crate::socket::Ask;
use crate::tls::{Progress, Session};

/// Why a handshake made no tunnel.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The connection or the session failed.
    #[error(transparent)]
    Failed(#[from] TunnelError),
    /// The peer was too slow.
    #[error("the handshake took longer than {HANDSHAKE_TIMEOUT:?}")]
    TooSlow(#[from] Elapsed),
}

/// Shakes hands as the edge. The session's verifier has checked who the core is.
///
/// # Errors
/// The core is not the one it must be, or refused us, or did not answer.
pub async fn connect(tcp: TcpStream, tls: Arc<ClientConfig>) -> Result<Tunnel, HandshakeError> {
    let session = Session::edge(tls).map_err(TunnelError::from)?;
    let (tunnel, _core) = run(Tunnel::new(tcp, session, End::Edge)).await?;
    Ok(tunnel)
}

/// Shakes hands as the core, and says whose device certificate the edge has shown.
///
/// # Errors
/// The peer has no certificate of ours, or did not come to the end.
pub async fn accept(
    tcp: TcpStream,
    tls: Arc<ServerConfig>,
) -> Result<(Tunnel, CertificateFacts), HandshakeError> {
    let session = Session::core(tls).map_err(TunnelError::from)?;
    run(Tunnel::new(tcp, session, End::Core)).await
}

async fn run(mut tunnel: Tunnel) -> Result<(Tunnel, CertificateFacts), HandshakeError> {
    let work = poll_fn(|context| poll(&mut tunnel, context));
    tokio::time::timeout(HANDSHAKE_TIMEOUT, work).await??;
    let peer = tunnel.session.peer().map_err(TunnelError::from)?;
    Ok((tunnel, peer))
}

fn poll(tunnel: &mut Tunnel, context: &mut Context<'_>) -> Poll<Result<(), TunnelError>> {
    // The connecting end speaks first: given nothing, its session writes the ClientHello.
    let mut progress = tunnel.open(&mut [])?;
    loop {
        // Also after an error there is something to send: the alert that says why.
        ready!(tunnel.poll_flush(context))?;
        if progress == Progress::Established {
            return Poll::Ready(Ok(()));
        }
        progress = match ready!(tunnel.poll_read(context, Ask::WhenReady)) {
            Ok(progress) => progress,
            Err(error) => {
                let _sent: Poll<_> = tunnel.poll_flush(context);
                return Poll::Ready(Err(error));
            }
        };
    }
}
