//! TLS as Ward uses it everywhere: 1.3 only, both sides authenticated, `ring` alone, no
//! resumption (it would skip the check of a peer's identity), no 0-RTT.
//!
//! Used by the client, by nodes and by gateways. Three ways to know a peer:
//! - by the cluster's authority and a SPIFFE identity ([`client_config`], [`server_config`]);
//! - by its public key alone, whatever the dates ([`pinned_client_config`],
//!   [`pinned_server_config`]), as nodes know each other;
//! - by the authority's public key out of a join token ([`join_client_config`]).

mod authority;
mod config;
mod join;
mod pinned;
mod signatures;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls_pki_types::CertificateDer;

pub use authority::{Dates, ExpectedPeer, RefusedPeer};
pub use config::{
    ALPN_H2, ALPN_TUNNEL, client_config, client_verifier, join_client_config, join_server_config,
    pinned_client_config, pinned_server_config, server_config, server_config_with, server_name,
};
pub use pinned::TrustedKeys;

use crate::error::Error;
use crate::identity::{CertificateFacts, SpiffeId};
use crate::reason::Reason;

/// The only cryptography that TLS may use here. Always named, never the process default: a second
/// provider in the tree would make the default ambiguous.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Tells who a connection's peer is, from the certificates that its verified handshake left.
///
/// # Errors
///
/// [`Reason::Unauthenticated`] without a certificate, [`Reason::CertificateForeign`] when it is
/// not one of Ward.
pub fn peer_identity(certificates: Option<&[CertificateDer<'_>]>) -> Result<SpiffeId, Error> {
    Ok(peer_facts(certificates)?.id)
}

/// Tells what the peer's certificate says, as [`peer_identity`] does.
///
/// # Errors
///
/// As [`peer_identity`].
pub fn peer_facts(certificates: Option<&[CertificateDer<'_>]>) -> Result<CertificateFacts, Error> {
    let Some([certificate, ..]) = certificates else {
        let message = "no certificate was presented; get an identity by joining";
        return Err(Error::new(Reason::Unauthenticated, message));
    };
    CertificateFacts::read(certificate)
}
