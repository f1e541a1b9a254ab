//! An accepted connection: bytes for gRPC, and who is at the other end.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use kms_client::identity::CertificateFacts;
use kms_client::tls::peer_facts;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use crate::shares::Share;

/// A connection after its handshake. Dropping it frees its place among the listener's.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    remote: Remote,
    _place: Share<IpAddr>,
}

/// Who is at the other end; every request of the connection carries a copy in its extensions.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    /// Where it comes from.
    pub(crate) address: SocketAddr,
    /// Its verified certificate; none on the join listener.
    pub(crate) facts: Option<Arc<CertificateFacts>>,
}

impl Connection {
    /// Reads who the other end is, once for the whole connection.
    pub(crate) fn new(
        stream: TlsStream<TcpStream>,
        address: SocketAddr,
        place: Share<IpAddr>,
    ) -> Self {
        // On the join listener there is none; elsewhere the verifier has read it already.
        let facts = peer_facts(stream.get_ref().1.peer_certificates())
            .ok()
            .map(Arc::new);
        Self {
            stream,
            remote: Remote { address, facts },
            _place: place,
        }
    }
}

impl Connected for Connection {
    type ConnectInfo = Remote;

    fn connect_info(&self) -> Remote {
        self.remote.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
