//! The floor: a gRPC server over mutual TLS that answers what it is sent and does nothing else.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::body::Body;
use tonic::codegen::BoxFuture;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic_prost::ProstCodec;

use super::channel;
use super::load::Caller;
use super::pki::Pki;

/// The server, on a runtime of its own with as many threads as there are cores.
pub struct Echo {
    pki: Pki,
    address: SocketAddr,
    // Its tasks end with it.
    _runtime: Runtime,
}

impl Echo {
    /// Starts it.
    ///
    /// # Errors
    /// When no port is free.
    pub fn start(pki: &Pki) -> io::Result<Self> {
        let runtime = Runtime::new()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(pki.server());
        drop(sys::task::spawn_on(
            runtime.handle(),
            "echo",
            serve(listener, acceptor),
        ));
        Ok(Self {
            pki: pki.clone(),
            address,
            _runtime: runtime,
        })
    }

    /// A client with a connection of its own, whose messages are as long as a request for a data
    /// key.
    ///
    /// # Errors
    /// When it cannot connect.
    pub async fn caller(&self) -> Result<Caller, String> {
        let channel = channel::connect(self.address, self.pki.client()).await;
        let channel = channel.map_err(|error| error.to_string())?;
        let data = Bytes::from(vec![7; MESSAGE_BYTES]);
        Ok(Box::new(move || {
            let (channel, data) = (channel.clone(), data.clone());
            Box::pin(async move {
                let answer = channel::unary::<Payload, Payload>(channel, PATH, Payload { data });
                answer.await.map(drop)
            })
        }))
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor) {
    let accepted = futures::stream::unfold(listener, move |listener| {
        let acceptor = acceptor.clone();
        async move {
            let stream = accept(&listener, &acceptor).await;
            Some((stream, listener))
        }
    });
    let serving = Server::builder().add_service(Service);
    let ended = serving.serve_with_incoming(accepted).await;
    ended.expect("it serves until it is dropped");
}

async fn accept(listener: &TcpListener, acceptor: &TlsAcceptor) -> io::Result<Stream> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(Stream(acceptor.accept(stream).await?))
}

/// What is sent, and answered.
#[derive(Clone, PartialEq, prost::Message)]
struct Payload {
    #[prost(bytes = "bytes", tag = "1")]
    data: Bytes,
}

#[derive(Clone)]
struct Service;

impl NamedService for Service {
    const NAME: &'static str = "bench.Echo";
}

impl tower::Service<http::Request<Body>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let codec = ProstCodec::<Payload, Payload>::default();
            Ok(Grpc::new(codec).unary(Same, request).await)
        })
    }
}

struct Same;

impl UnaryService<Payload> for Same {
    type Response = Payload;
    type Future = Ready<Result<tonic::Response<Payload>, tonic::Status>>;

    fn call(&mut self, request: tonic::Request<Payload>) -> Self::Future {
        ready(Ok(tonic::Response::new(request.into_inner())))
    }
}

/// A connection as tonic takes it.
struct Stream(TlsStream<TcpStream>);

impl Connected for Stream {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

const PATH: &str = "/bench.Echo/Same";
const MESSAGE_BYTES: usize = 200;
