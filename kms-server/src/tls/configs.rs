//! The TLS configurations of the three listeners, and their exchange when the node's certificate
//! is renewed.

use std::sync::Arc;

use arc_swap::ArcSwap;
use kms_client::identity::{Identity, Role};
use kms_client::tls::{
    ALPN_H2, Dates, ExpectedPeer, client_verifier, join_server_config, server_config,
    server_config_with,
};
use rustls::ServerConfig;

use crate::tls::peer_verifier::{KnownPeers, PeerVerifier};

/// What the listeners present and demand; acceptors read it at each handshake.
pub(crate) struct TlsConfigs {
    /// Clients: a certificate of the authority, in any role.
    pub(crate) api: Arc<ArcSwap<ServerConfig>>,
    /// Peers: a member's key.
    pub(crate) peer: Arc<ArcSwap<ServerConfig>>,
    /// Joiners: no certificate.
    pub(crate) join: Arc<ArcSwap<ServerConfig>>,
    known: Arc<dyn KnownPeers>,
}

impl TlsConfigs {
    /// Makes all three.
    ///
    /// # Errors
    /// When the identity's authority cannot be used.
    pub(crate) fn new(
        identity: &Identity,
        known: Arc<dyn KnownPeers>,
    ) -> Result<Self, kms_client::Error> {
        Ok(Self {
            api: Arc::new(ArcSwap::from_pointee(api(identity)?)),
            peer: Arc::new(ArcSwap::from_pointee(peer(identity, &known)?)),
            join: Arc::new(ArcSwap::from_pointee(join_server_config(identity)?)),
            known,
        })
    }

    /// Lets every handshake from now on use `identity`.
    ///
    /// # Errors
    /// When the identity's authority cannot be used; the former configurations then stay.
    pub(crate) fn replace(&self, identity: &Identity) -> Result<(), kms_client::Error> {
        let configs = (
            api(identity)?,
            peer(identity, &self.known)?,
            join_server_config(identity)?,
        );
        self.api.store(Arc::new(configs.0));
        self.peer.store(Arc::new(configs.1));
        self.join.store(Arc::new(configs.2));
        Ok(())
    }
}

/// Dates are looked at by the identity layer, so that the refusal has a reason and a renewal is
/// still heard.
fn api(identity: &Identity) -> Result<ServerConfig, kms_client::Error> {
    let clients = ExpectedPeer::of(identity.id().trust_domain(), Role::ALL);
    server_config(identity, clients, Dates::LeftToTheServer, ALPN_H2)
}

fn peer(
    identity: &Identity,
    known: &Arc<dyn KnownPeers>,
) -> Result<ServerConfig, kms_client::Error> {
    let nodes = ExpectedPeer::of(identity.id().trust_domain(), &[Role::Node]);
    let authority = client_verifier(identity, nodes, Dates::LeftToTheServer)?;
    let verifier = PeerVerifier::new(Arc::clone(known), authority);
    server_config_with(identity, verifier, ALPN_H2)
}
