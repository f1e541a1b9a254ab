//! Makes the TLS configurations, all alike but for how they know the peer.

use std::net::Ipv4Addr;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::ServerCertVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, NoServerSessionStorage};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::ServerName;

use super::authority::{ClientVerifier, Dates, ExpectedPeer, ServerVerifier};
use super::join::JoinVerifier;
use super::pinned::{PinnedVerifier, TrustedKeys};
use super::provider;
use crate::error::Error;
use crate::identity::Identity;
use crate::reason::Reason;

/// The protocol name of gRPC connections (RFC 9113 §3.2).
pub const ALPN_H2: &[u8] = b"h2";

/// The protocol name of the tunnel between gateways.
pub const ALPN_TUNNEL: &[u8] = b"ward/1";

/// What every client says it connects to. It is neither sent nor looked at, since identities are
/// SPIFFE ids; the TLS library only insists on one.
#[must_use]
pub fn server_name() -> ServerName<'static> {
    ServerName::from(Ipv4Addr::UNSPECIFIED)
}

/// Connects as `identity` to a server that the same authority issued, and that is `expected`.
///
/// # Errors
///
/// When the identity's authority cannot be used.
pub fn client_config(
    identity: &Identity,
    expected: ExpectedPeer,
    alpn: &[u8],
) -> Result<ClientConfig, Error> {
    let verifier = Arc::new(ServerVerifier::new(identity.ca(), expected)?);
    client(verifier, Some(identity), alpn)
}

/// Serves as `identity` clients that the same authority issued, and that are `expected`.
///
/// # Errors
///
/// When the identity's authority cannot be used.
pub fn server_config(
    identity: &Identity,
    expected: ExpectedPeer,
    dates: Dates,
    alpn: &[u8],
) -> Result<ServerConfig, Error> {
    let verifier = Arc::new(ClientVerifier::new(identity.ca(), expected, dates)?);
    server(verifier, Arc::clone(identity.certified()), alpn)
}

/// Connects as `identity` to a server that owns a trusted key, whatever its dates.
///
/// # Errors
///
/// When the TLS library refuses its own provider.
pub fn pinned_client_config(
    identity: &Identity,
    trusted: TrustedKeys,
    alpn: &[u8],
) -> Result<ClientConfig, Error> {
    client(Arc::new(PinnedVerifier::new(trusted)), Some(identity), alpn)
}

/// Serves as `identity` clients that own a trusted key, whatever their dates.
///
/// # Errors
///
/// When the TLS library refuses its own provider.
pub fn pinned_server_config(
    identity: &Identity,
    trusted: TrustedKeys,
    alpn: &[u8],
) -> Result<ServerConfig, Error> {
    let verifier = Arc::new(PinnedVerifier::new(trusted));
    server(verifier, Arc::clone(identity.certified()), alpn)
}

/// Serves as `identity` clients that `verifier` accepts: for a server that knows its peers in a
/// way of its own, such as a node that knows members by their keys and strangers not at all.
///
/// # Errors
///
/// When the TLS library refuses its own provider.
pub fn server_config_with(
    identity: &Identity,
    verifier: Arc<dyn ClientCertVerifier>,
    alpn: &[u8],
) -> Result<ServerConfig, Error> {
    server(verifier, Arc::clone(identity.certified()), alpn)
}

/// What [`server_config`] verifies clients with, to be asked by another verifier.
///
/// # Errors
///
/// When the identity's authority cannot be used.
pub fn client_verifier(
    identity: &Identity,
    expected: ExpectedPeer,
    dates: Dates,
) -> Result<Arc<dyn ClientCertVerifier>, Error> {
    Ok(Arc::new(ClientVerifier::new(
        identity.ca(),
        expected,
        dates,
    )?))
}

/// Connects without an identity to a node of the authority whose public key has this hash.
///
/// # Errors
///
/// When the TLS library refuses its own provider.
pub fn join_client_config(ca_spki_sha256: [u8; 32]) -> Result<ClientConfig, Error> {
    client(Arc::new(JoinVerifier::new(ca_spki_sha256)), None, ALPN_H2)
}

/// Serves joiners as `identity`: asks for no certificate, and sends the authority's along, which
/// joiners know only by its hash.
///
/// # Errors
///
/// When the TLS library refuses its own provider.
pub fn join_server_config(identity: &Identity) -> Result<ServerConfig, Error> {
    let own = identity.certified();
    let chain = own.cert.iter().chain(identity.ca()).cloned().collect();
    let with_authority = CertifiedKey::new(chain, Arc::clone(&own.key));
    server(Arc::new(NoClientAuth), Arc::new(with_authority), ALPN_H2)
}

fn client(
    verifier: Arc<dyn ServerCertVerifier>,
    identity: Option<&Identity>,
    alpn: &[u8],
) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable_provider)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        Some(identity) => {
            let own = SingleCertAndKey::from(CertifiedKey::clone(identity.certified()));
            builder.with_client_cert_resolver(Arc::new(own))
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![alpn.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(config)
}

fn server(
    verifier: Arc<dyn ClientCertVerifier>,
    own: Arc<CertifiedKey>,
    alpn: &[u8],
) -> Result<ServerConfig, Error> {
    let own = SingleCertAndKey::from(CertifiedKey::clone(&own));
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(unusable_provider)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(own));
    config.alpn_protocols = vec![alpn.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn unusable_provider(error: rustls::Error) -> Error {
    let message = "TLS 1.3 cannot be set up; this build is broken";
    Error::new(Reason::Internal, message).with_source(error)
}
