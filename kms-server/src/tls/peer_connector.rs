//! Connects to peers for Raft: mutual TLS, the far side known by the key in the membership.

use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use kms_client::identity::Identity;
use kms_client::tls::{ALPN_H2, TrustedKeys, pinned_client_config, server_name};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::limits::HANDSHAKE_TIMEOUT;
use crate::raft::Member;
use crate::raft::peer::{PeerConnector, PeerStream};
use crate::state::{NodeId, SpkiHash};

/// Dials peers as this node.
pub(crate) struct NodeConnector {
    identity: Arc<ArcSwap<Identity>>,
}

impl NodeConnector {
    /// Presents `identity` as it is at each connection.
    pub(crate) fn new(identity: Arc<ArcSwap<Identity>>) -> Arc<Self> {
        Arc::new(Self { identity })
    }

    async fn dial(&self, address: &str, key: SpkiHash) -> io::Result<PeerStream> {
        let trusted: TrustedKeys = Arc::new(move |proven| *proven == key);
        let config = pinned_client_config(&self.identity.load(), trusted, ALPN_H2)
            .map_err(io::Error::other)?;
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Box::new(connector.connect(server_name(), stream).await?))
    }
}

impl std::fmt::Debug for NodeConnector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeConnector").finish_non_exhaustive()
    }
}

#[async_trait]
impl PeerConnector for NodeConnector {
    async fn connect(
        &self,
        node: NodeId,
        address: &str,
        member: &Member,
    ) -> io::Result<PeerStream> {
        let key = spki_hash(&member.public_key);
        tokio::time::timeout(HANDSHAKE_TIMEOUT, self.dial(address, key))
            .await
            .map_err(|_| {
                io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("node {node} did not shake hands"),
                )
            })?
    }
}

/// SHA-256 of a SubjectPublicKeyInfo in DER.
pub(crate) fn spki_hash(public_key_der: &[u8]) -> SpkiHash {
    let mut hash = SpkiHash::default();
    hash.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, public_key_der).as_ref());
    hash
}
