//! A cluster inside the test: each node is a replica with a listener for peers, over plain TCP.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use openraft::async_runtime::WatchReceiver;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use ward_proto::peer::v1::{GetAuditHeadRequest, GetAuditHeadResponse};
use ward_proto::v1::NodeStatus;

use crate::command::testing::{create_key, genesis};
use crate::command::{
    Command, ConsumeJoinToken, CreateJoinToken, Genesis, NodeJoin, Outcome, Proposal,
};
use crate::raft::Member;
use crate::raft::peer::Fitness;
use crate::raft::peer::{PeerConnector, PeerHandler, PeerIdentity, PeerStream};
use crate::replica::limits::{SNAPSHOT_ENTRIES, STEADY_TIME};
use crate::replica::{Applied, OpenError, ProposeError, Replica, ReplicaConfig, ReplicaRole};
use crate::state::{Addresses, FORMAT_VERSION, NodeId, Role};

/// How long anything may take on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until `condition` holds.
pub(super) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = sys::clock::monotonic() + PATIENCE;
    while !condition() {
        assert!(sys::clock::monotonic() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Nodes by id; a node that was killed is missing.
pub(super) struct Cluster {
    dir: TempDir,
    pub(super) nodes: BTreeMap<u64, TestNode>,
    addresses: BTreeMap<u64, String>,
    /// The format that the programs of these nodes know, where it is another than ours.
    pub(super) formats: BTreeMap<u64, u32>,
    /// For how long a node keeps up before it votes.
    pub(super) steady_time: Duration,
}

pub(super) struct TestNode {
    pub(super) replica: Replica,
    listener: JoinHandle<()>,
    connections: Connections,
}

/// A second handle to each connection a node has accepted, to cut it when the node is killed:
/// tonic serves accepted connections in tasks of their own.
type Connections = Arc<Mutex<Vec<std::net::TcpStream>>>;

impl Cluster {
    /// One node that has begun the cluster.
    pub(super) async fn begin() -> Self {
        Self::begin_in(FORMAT_VERSION).await
    }

    /// The same, of a state and programs of this format.
    pub(super) async fn begin_in(format_version: u32) -> Self {
        let mut cluster = Self {
            dir: tempfile::tempdir().unwrap(),
            nodes: BTreeMap::new(),
            addresses: BTreeMap::new(),
            formats: BTreeMap::from([(1, format_version)]),
            steady_time: STEADY_TIME,
        };
        cluster.start(1).await.unwrap();
        let genesis = Genesis {
            format_version,
            ..genesis()
        };
        let replica = &cluster.nodes[&1].replica;
        replica.initialize(genesis).await.unwrap();
        cluster
    }

    /// As many voters.
    pub(super) async fn of(count: u64) -> Self {
        let mut cluster = Self::begin().await;
        for number in 2..=count {
            cluster.join(number).await;
        }
        cluster
    }

    /// Admits node `number`, starts it and waits until it votes.
    pub(super) async fn join(&mut self, number: u64) {
        self.join_unready(number).await;
        // On every node, and no longer jointly with the former membership: else the death of one
        // node may still take the quorum of the former one away.
        until("the joined node votes", || {
            self.nodes.values().all(|node| {
                let metrics = node.replica.raft().metrics().borrow_watched().clone();
                let committed = metrics.committed_membership_config.membership().clone();
                committed.get_joint_config().len() == 1
                    && committed.voter_ids().any(|voter| voter.0 == number)
            })
        })
        .await;
    }

    /// Admits node `number` and starts it.
    pub(super) async fn join_unready(&mut self, number: u64) {
        let address = self.bind(number).await;
        let secret_sha256 = [number as u8; 32];
        let token = Command::CreateJoinToken(CreateJoinToken {
            secret_sha256,
            role: Role::Node,
            id: String::new(),
            replaces: None,
            expires_ms: u64::MAX,
        });
        self.write(token).await;
        let consume = Command::ConsumeJoinToken(ConsumeJoinToken {
            role: Role::Node,
            secret_sha256,
            spki_sha256: [number as u8; 32],
            not_after_ms: u64::MAX,
            node: Some(NodeJoin {
                addresses: addresses(&address.0),
                public_key: public_key(number),
            }),
        });
        let joined = self.write(consume).await;
        let expected = Some(NodeId(number));
        assert!(matches!(joined.outcome, Outcome::Joined { node_id, .. } if node_id == expected));
        self.start_on(number, address.1).await.unwrap();
    }

    /// Starts a node on a new port.
    pub(super) async fn start(&mut self, number: u64) -> Result<(), OpenError> {
        let (_, listener) = self.bind(number).await;
        self.start_on(number, listener).await
    }

    /// Writes through whoever leads, however long that takes.
    pub(super) async fn write(&self, command: Command) -> Applied {
        let deadline = sys::clock::monotonic() + PATIENCE;
        loop {
            let leader = self.leader_or_any().clone();
            let time = sys::clock::wall_ms();
            match leader
                .propose(Proposal::internal(time, command.clone()))
                .await
            {
                Ok(applied) => return applied,
                Err(error @ ProposeError::Refused(_)) => panic!("{error}"),
                Err(error) if sys::clock::monotonic() > deadline => panic!("{error}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Creates `k0`, `k1` and so on.
    pub(super) async fn create_keys(&self, count: u64) {
        for number in 0..count {
            self.write(create_key(&format!("k{number}"), number)).await;
        }
    }

    /// Takes a snapshot on a node and purges its log up to there; answers where.
    pub(super) async fn snapshot_and_purge(&self, number: u64) -> u64 {
        let replica = &self.nodes[&number].replica;
        let raft = replica.raft();
        let applied = replica.applied_index();
        raft.trigger().snapshot().await.unwrap();
        until("a snapshot", || replica.status().snapshot_index >= applied).await;
        let snapshot = replica.status().snapshot_index;
        raft.trigger().purge_log(snapshot).await.unwrap();
        until("the log is purged", || {
            let metrics = raft.metrics();
            let purged = metrics.borrow_watched().purged;
            purged.is_some_and(|purged| purged.index == snapshot)
        })
        .await;
        snapshot
    }

    /// The leader's number, once one is agreed on by all nodes that run.
    pub(super) async fn leader(&self) -> u64 {
        let agreed = || {
            let mut seen = self.nodes.values().map(|n| n.replica.status().leader);
            let first = seen.next()??;
            let leads = self.nodes.get(&first.0)?.replica.status().role == ReplicaRole::Leader;
            (leads && seen.all(|other| other == Some(first))).then_some(first.0)
        };
        let mut leader = None;
        // What was agreed on at one moment: it may be over at the next.
        until("one leader", || {
            leader = agreed();
            leader.is_some()
        })
        .await;
        leader.expect("it was waited for")
    }

    /// Ends a node without letting it say good-bye to anyone.
    pub(super) async fn kill(&mut self, number: u64) {
        let TestNode {
            replica,
            listener,
            connections,
        } = self.nodes.remove(&number).unwrap();
        // To its end: a connection that it lets in meanwhile would live on, and who holds it would
        // be answered by what is gone and never find the node that is started next.
        listener.abort();
        drop(listener.await);
        for connection in connections.lock().unwrap().drain(..) {
            drop(connection.shutdown(std::net::Shutdown::Both));
        }
        replica.shutdown().await;
    }

    /// The data directory of a node.
    pub(super) fn dir(&self, number: u64) -> PathBuf {
        self.dir.path().join(format!("node-{number}"))
    }

    fn leader_or_any(&self) -> &Replica {
        let leads = |n: &&TestNode| n.replica.status().role == ReplicaRole::Leader;
        let mut nodes = self.nodes.values();
        let node = nodes.find(leads).or_else(|| self.nodes.values().next());
        &node.unwrap().replica
    }

    async fn bind(&mut self, number: u64) -> (String, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        self.addresses.insert(number, address.clone());
        (address, listener)
    }

    async fn start_on(&mut self, number: u64, listener: TcpListener) -> Result<(), OpenError> {
        let dir = self.dir(number);
        std::fs::create_dir_all(&dir).unwrap();
        let mut config = config(&dir, number, &self.addresses);
        config.steady_time = self.steady_time;
        if let Some(known) = self.formats.get(&number) {
            config.format_known = *known;
        }
        let replica = open_when_free(config).await?;
        let service = replica.peer_service(Arc::new(Handler));
        let connections = Connections::default();
        let accepted = (listener, connections.clone());
        let incoming = futures::stream::unfold(accepted, |(listener, connections)| async move {
            Some((
                accept(&listener, &connections).await,
                (listener, connections),
            ))
        });
        let listener = sys::task::spawn("test-peers", async move {
            let server = Server::builder().add_service(service);
            server.serve_with_incoming(incoming).await.unwrap();
        });
        self.nodes.insert(
            number,
            TestNode {
                replica,
                listener,
                connections,
            },
        );
        Ok(())
    }
}

/// The former owner in this process may still be letting go of the directory.
async fn open_when_free(config: ReplicaConfig) -> Result<Replica, OpenError> {
    let deadline = sys::clock::monotonic() + Duration::from_secs(5);
    loop {
        match Replica::open(config.clone()).await {
            Err(OpenError::Io { .. }) if sys::clock::monotonic() < deadline => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            other => return other,
        }
    }
}

pub(super) fn config(
    dir: &Path,
    number: u64,
    addresses_of: &BTreeMap<u64, String>,
) -> ReplicaConfig {
    let mark = dir.join("initialised");
    let initialised = mark.exists();
    let hints = addresses_of.iter().filter(|(other, _)| **other != number);
    ReplicaConfig {
        node_id: NodeId(number),
        dir: dir.to_owned(),
        member: Member {
            addresses: addresses(&addresses_of[&number]),
            public_key: public_key(number),
        },
        hints: hints.map(|(n, a)| (NodeId(*n), a.clone())).collect(),
        connector: Arc::new(Plain(number)),
        initialised,
        sealed: false,
        format_known: FORMAT_VERSION,
        snapshot_entries: SNAPSHOT_ENTRIES,
        steady_time: STEADY_TIME,
        mark_initialised: Arc::new(move || std::fs::write(&mark, b"yes")),
    }
}

fn addresses(peer: &str) -> Addresses {
    Addresses {
        api: format!("api of {peer}"),
        peer: peer.to_owned(),
        join: String::new(),
    }
}

fn public_key(number: u64) -> Vec<u8> {
    format!("public key {number}").into_bytes()
}

struct Handler;

#[async_trait]
impl PeerHandler for Handler {
    async fn forward(&self, from: NodeId, intent: Bytes) -> Result<(Bytes, u64), Status> {
        Ok((intent, from.0))
    }

    fn node_status(&self) -> NodeStatus {
        NodeStatus::default()
    }

    fn fitness(&self) -> Fitness {
        Fitness::Fit
    }

    async fn audit_head(&self, _: GetAuditHeadRequest) -> GetAuditHeadResponse {
        GetAuditHeadResponse::default()
    }
}

/// Says who it is in the first eight bytes; the real connector proves it.
#[derive(Debug)]
struct Plain(u64);

#[async_trait]
impl PeerConnector for Plain {
    async fn connect(&self, _: NodeId, address: &str, _: &Member) -> io::Result<PeerStream> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&self.0.to_be_bytes()).await?;
        Ok(Box::new(stream))
    }
}

async fn accept(listener: &TcpListener, connections: &Connections) -> io::Result<Accepted> {
    let (stream, _) = listener.accept().await?;
    let stream = stream.into_std()?;
    connections.lock().unwrap().push(stream.try_clone()?);
    let mut stream = TcpStream::from_std(stream)?;
    stream.set_nodelay(true)?;
    let mut who = [0; 8];
    stream.read_exact(&mut who).await?;
    let who = PeerIdentity(NodeId(u64::from_be_bytes(who)));
    Ok(Accepted { stream, who })
}

struct Accepted {
    stream: TcpStream,
    who: PeerIdentity,
}

impl Connected for Accepted {
    type ConnectInfo = PeerIdentity;

    fn connect_info(&self) -> PeerIdentity {
        self.who
    }
}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Accepted {
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
}
