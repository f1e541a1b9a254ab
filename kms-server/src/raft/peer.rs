//! The seam to peers: how a connection is made, and what this crate's API answers to peers.
//!
//! The API implements [`PeerConnector`] with mutual TLS and mounts the Raft service on its listener
//! for peers.

use std::fmt;
use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::Status;
use ward_proto::peer::v1::{GetAuditHeadRequest, GetAuditHeadResponse};
use ward_proto::v1::NodeStatus;

use super::Member;
use crate::state::NodeId;

/// A connection to a peer, already authenticated.
pub type PeerStream = Box<dyn PeerIo>;

/// What a peer connection must be able to do.
pub trait PeerIo: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> PeerIo for T {}

/// Connects to peers.
#[async_trait]
pub trait PeerConnector: Send + Sync + fmt::Debug + 'static {
    /// Connects to `address` and proves that the far side holds the private key of
    /// `member.public_key`. Dates of certificates are ignored: membership decides.
    ///
    /// # Errors
    ///
    /// When nobody answers there, or somebody else does.
    async fn connect(&self, node: NodeId, address: &str, member: &Member)
    -> io::Result<PeerStream>;
}

/// How well a node can do what a leader must; who is fitter is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fitness {
    /// It takes no leadership over: it does not answer, is sealed, is about to stop, or its log
    /// lost its end.
    Unable,
    /// Its disk is full, or its audit log cannot be written.
    Unfit,
    /// Its clock is far behind what the cluster has recorded: whoever else can should lead.
    ClockBehind,
    /// Nothing is wrong with it.
    Fit,
}

/// What the API answers when a peer asks for more than Raft.
#[async_trait]
pub trait PeerHandler: Send + Sync + 'static {
    /// Carries out a write that member `from` hands over, once; never forwards it further.
    /// Answers the outcome's bytes and the index it was applied at.
    ///
    /// # Errors
    ///
    /// The status the client shall see.
    async fn forward(&self, from: NodeId, intent: Bytes) -> Result<(Bytes, u64), Status>;

    /// Tells of this node alone.
    fn node_status(&self) -> NodeStatus;

    /// How fit this node is to lead.
    fn fitness(&self) -> Fitness;

    /// Tells the head of this node's audit log, and whether the log holds the line asked about.
    async fn audit_head(&self, asked: GetAuditHeadRequest) -> GetAuditHeadResponse;
}

/// Who is at the far side of a connection from a peer. The API's acceptor puts it into each
/// request's extensions, from the public key proven in the handshake; a request without it is
/// refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerIdentity(pub NodeId);
