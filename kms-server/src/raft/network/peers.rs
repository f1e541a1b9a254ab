//! Where the peers are, and the connections to them.
//!
//! The membership says where a peer is. What the peer itself said since goes before it, a hint from
//! the configuration comes after it, so that nodes whose ports all changed find each other again
//! before there is a leader to record that. Whoever answers proves its public key.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper_util::rt::TokioIo;
use tonic::Request;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;
use ward_proto::peer::v1::peer_service_client::PeerServiceClient;

use super::TARGET_METADATA;
use crate::raft::Member;
use crate::raft::peer::{PeerConnector, PeerStream};
use crate::replica::limits::{
    PEER_CONNECT_TIMEOUT, PEER_KEEPALIVE_INTERVAL, PEER_KEEPALIVE_TIMEOUT, PEER_MESSAGE_BYTES_MAX,
};
use crate::state::NodeId;

/// What a connection carries. Each kind has its own, so that a large append or a snapshot never
/// stands before a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// Heartbeats, votes, read indexes, forwarded writes.
    Control,
    /// Log entries.
    Replication,
    /// Snapshots.
    Snapshot,
}

/// A client for one peer.
pub(crate) type PeerClient = PeerServiceClient<Channel>;

/// The book of peers.
#[derive(Debug)]
pub(crate) struct Peers {
    connector: Arc<dyn PeerConnector>,
    hints: BTreeMap<NodeId, String>,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    members: BTreeMap<NodeId, Member>,
    /// Where members said they are, until the membership says the same.
    announced: BTreeMap<NodeId, String>,
    channels: BTreeMap<(NodeId, Lane), Channel>,
}

impl Peers {
    pub(crate) fn new(
        connector: Arc<dyn PeerConnector>,
        hints: BTreeMap<NodeId, String>,
    ) -> Arc<Self> {
        Arc::new(Self {
            connector,
            hints,
            book: Mutex::default(),
        })
    }

    /// Notes how a member is reached now. Connections that work are kept.
    pub(crate) fn note(&self, node: NodeId, member: &Member) {
        let mut book = self.book();
        if book.members.get(&node) != Some(member) {
            book.members.insert(node, member.clone());
        }
        if book.announced.get(&node) == Some(&member.addresses.peer) {
            book.announced.remove(&node);
        }
    }

    /// Notes where a member says it is reached now.
    pub(crate) fn announced(&self, node: NodeId, address: &str) {
        let mut book = self.book();
        let known = book.members.get(&node);
        if known.is_some_and(|member| member.addresses.peer != address) {
            book.announced.insert(node, address.to_owned());
        }
    }

    /// A client for a peer. It connects when it is first used, and again whenever it must.
    pub(crate) fn client(self: &Arc<Self>, node: NodeId, lane: Lane) -> PeerClient {
        let mut book = self.book();
        let channel = book
            .channels
            .entry((node, lane))
            .or_insert_with(|| self.channel(node))
            .clone();
        PeerServiceClient::new(channel)
            .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX)
    }

    fn channel(self: &Arc<Self>, node: NodeId) -> Channel {
        // The name is never resolved: the connector knows the addresses.
        let endpoint = Endpoint::from_static("http://peer.ward.invalid")
            .http2_keep_alive_interval(PEER_KEEPALIVE_INTERVAL)
            .keep_alive_timeout(PEER_KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true);
        let peers = self.clone();
        endpoint.connect_with_connector_lazy(service_fn(move |_: Uri| {
            let peers = peers.clone();
            async move { peers.connect(node).await.map(TokioIo::new) }
        }))
    }

    async fn connect(&self, node: NodeId) -> io::Result<PeerStream> {
        let (member, announced) = {
            let book = self.book();
            let member = book.members.get(&node).cloned();
            (member, book.announced.get(&node).cloned())
        };
        let member = member.ok_or_else(|| io::Error::other("this node is not a member"))?;
        let hint = self.hints.get(&node);
        let mut addresses: Vec<&String> = Vec::new();
        for address in announced.iter().chain([&member.addresses.peer]).chain(hint) {
            if !address.is_empty() && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let mut failure = io::Error::other("no address of this node is known");
        for address in addresses {
            let connecting = self.connector.connect(node, address, &member);
            match tokio::time::timeout(PEER_CONNECT_TIMEOUT, connecting).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failure = error,
                Err(_) => failure = io::ErrorKind::TimedOut.into(),
            }
        }
        tracing::debug!(%node, %failure, "cannot connect to a peer");
        Err(failure)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Both maps change by whole entries.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that only `node` will answer.
pub(crate) fn request_for<T>(node: NodeId, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let target = MetadataValue::from(node.0);
    request.metadata_mut().insert(TARGET_METADATA, target);
    request
}
