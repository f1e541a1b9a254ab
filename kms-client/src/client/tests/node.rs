//! A node of the tests: its listener, its behaviour, and what it has seen.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use rustls::ServerConfig;
use sys::task::AbortOnDrop;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use ward_proto::admin::v1::cluster_admin_service_server::ClusterAdminServiceServer;
use ward_proto::admin::v1::key_admin_service_server::KeyAdminServiceServer;
use ward_proto::v1;
use ward_proto::v1::certificate_service_server::CertificateServiceServer;
use ward_proto::v1::cluster_service_server::ClusterServiceServer;
use ward_proto::v1::join_service_server::JoinServiceServer;
use ward_proto::v1::key_service_server::KeyServiceServer;
use ward_proto::v1::watch_service_server::WatchServiceServer;

use super::endpoint;
use crate::identity::{Endpoint, Identity, Role};
use crate::reason::{LEADER_METADATA, REASON_METADATA, Reason};
use crate::testing::Authority;
use crate::tls::{self, ALPN_H2, Dates, ExpectedPeer};

/// What a node does with a call.
#[derive(Debug, Clone)]
pub(super) enum Behaviour {
    Serve,
    Refuse(Reason),
    /// Refuses so many times, then serves.
    RefuseTimes(usize, Reason),
    /// Refuses once, then never answers.
    RefuseThenHang(Reason),
    /// Names the leader.
    PointTo(String),
    /// Never answers.
    Hang,
}

/// What a node saw of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) verb: &'static str,
    pub(super) intent: Vec<u8>,
    pub(super) min_index: u64,
    /// From the request's own deadline header.
    pub(super) timeout: String,
}

/// What the services of one node share.
pub(super) struct Shared {
    pub(super) behaviour: Mutex<Behaviour>,
    pub(super) seen: Mutex<Vec<Seen>>,
    /// What the node says of the cluster.
    pub(super) status: Mutex<v1::GetClusterStatusResponse>,
    pub(super) statuses_told: Mutex<usize>,
    /// What a watch tells after its Resync; each change is told to open watches.
    pub(super) events: watch::Sender<Option<v1::WatchEvent>>,
    /// Moves to end every open watch.
    pub(super) end_watches: watch::Sender<u64>,
    /// Who issues what this node hands out.
    pub(super) authority: Authority,
    /// The index of the next answer.
    pub(super) index: Mutex<u64>,
}

impl Shared {
    /// Issues the operator's certificate, whoever asks.
    pub(super) fn issue(&self, csr: &[u8]) -> Bytes {
        let operator = self.authority.identity(Role::Operator, "first");
        self.authority
            .issue_for_csr(csr, operator.id())
            .to_vec()
            .into()
    }

    pub(super) fn ca(&self) -> Vec<Bytes> {
        vec![self.authority.certificate().to_vec().into()]
    }

    /// Notes a call and does what the behaviour says before it is served.
    pub(super) async fn arrived(&self, seen: Seen) -> Result<v1::Applied, Status> {
        self.seen.lock().unwrap().push(seen);
        let behaviour = {
            let mut behaviour = self.behaviour.lock().unwrap();
            let now = behaviour.clone();
            if let Behaviour::RefuseTimes(times, reason) = now {
                let next = Behaviour::RefuseTimes(times.saturating_sub(1), reason);
                *behaviour = if times > 1 { next } else { Behaviour::Serve };
            }
            if matches!(now, Behaviour::RefuseThenHang(_)) {
                *behaviour = Behaviour::Hang;
            }
            now
        };
        match behaviour {
            Behaviour::Serve => Ok(v1::Applied {
                index: *self.index.lock().unwrap(),
            }),
            Behaviour::Refuse(reason)
            | Behaviour::RefuseTimes(_, reason)
            | Behaviour::RefuseThenHang(reason) => Err(refusal(reason)),
            Behaviour::PointTo(leader) => {
                let mut status = refusal(Reason::NotLeader);
                status
                    .metadata_mut()
                    .insert(LEADER_METADATA, leader.parse().unwrap());
                Err(status)
            }
            Behaviour::Hang => std::future::pending().await,
        }
    }
}

pub(super) fn refusal(reason: Reason) -> Status {
    let mut status = Status::failed_precondition(format!("refused with {reason} by the test"));
    status
        .metadata_mut()
        .insert(REASON_METADATA, reason.as_str().parse().unwrap());
    status
}

pub(super) struct Node {
    pub(super) id: u64,
    pub(super) address: String,
    pub(super) shared: Arc<Shared>,
    _server: AbortOnDrop<()>,
}

impl Node {
    pub(super) async fn start(authority: &Authority, id: u64) -> Self {
        let identity = authority.identity(Role::Node, &id.to_string());
        Self::start_as(authority, id, &identity, Dates::LeftToTheServer).await
    }

    /// Starts a node under an identity that may not be its own.
    pub(super) async fn start_as(
        authority: &Authority,
        id: u64,
        identity: &Identity,
        dates: Dates,
    ) -> Self {
        let callers = [Role::Operator, Role::App, Role::Gateway];
        let expected = ExpectedPeer::of(authority.trust_domain(), &callers);
        let config = tls::server_config(identity, expected, dates, ALPN_H2).unwrap();
        Self::start_with(authority, id, config).await
    }

    pub(super) async fn start_with(authority: &Authority, id: u64, config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared {
            behaviour: Mutex::new(Behaviour::Serve),
            seen: Mutex::default(),
            status: Mutex::default(),
            statuses_told: Mutex::default(),
            events: watch::Sender::new(None),
            end_watches: watch::Sender::new(0),
            authority: authority.clone(),
            index: Mutex::new(1),
        });
        let server = sys::task::spawn("test-node", serve(listener, config, Arc::clone(&shared)));
        Self {
            id,
            address,
            shared,
            _server: AbortOnDrop(server),
        }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        endpoint(self.id, &self.address)
    }

    pub(super) fn behave(&self, behaviour: Behaviour) {
        *self.shared.behaviour.lock().unwrap() = behaviour;
    }

    pub(super) fn at_index(&self, index: u64) {
        *self.shared.index.lock().unwrap() = index;
    }

    pub(super) fn statuses_told(&self) -> usize {
        *self.shared.statuses_told.lock().unwrap()
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }
}

async fn serve(listener: TcpListener, config: ServerConfig, shared: Arc<Shared>) {
    let (give, streams) = mpsc::channel(16);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let accept = async move {
        let mut handshakes = tokio::task::JoinSet::new();
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let (acceptor, give) = (acceptor.clone(), give.clone());
            handshakes.spawn(async move {
                if let Ok(tls) = acceptor.accept(tcp).await {
                    give.send(Ok::<_, io::Error>(Accepted(tls))).await.unwrap();
                }
            });
        }
    };
    let serve = Server::builder()
        .add_service(KeyServiceServer::from_arc(Arc::clone(&shared)))
        .add_service(KeyAdminServiceServer::from_arc(Arc::clone(&shared)))
        .add_service(ClusterAdminServiceServer::from_arc(Arc::clone(&shared)))
        .add_service(ClusterServiceServer::from_arc(Arc::clone(&shared)))
        .add_service(WatchServiceServer::from_arc(Arc::clone(&shared)))
        .add_service(CertificateServiceServer::from_arc(Arc::clone(&shared)))
        .add_service(JoinServiceServer::from_arc(shared))
        .serve_with_incoming(ReceiverStream::new(streams));
    tokio::select! {
        () = accept => {}
        served = serve => served.unwrap(),
    }
}

struct Accepted(TlsStream<TcpStream>);

impl Connected for Accepted {
    type ConnectInfo = ();
    fn connect_info(&self) {}
}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
