//! Knows a peer by the cluster's authority and its SPIFFE identity. Both halves of every
//! connection but those among nodes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::provider;
use super::signatures::Signatures;
use crate::error::Error;
use crate::identity::{CertificateFacts, Role, SpiffeId};
use crate::reason::Reason;

/// Which identities a peer may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedPeer {
    trust_domain: String,
    roles: Vec<Role>,
    id: Option<String>,
}

impl ExpectedPeer {
    /// Any peer of this trust domain in one of these roles.
    #[must_use]
    pub fn of(trust_domain: &str, roles: &[Role]) -> Self {
        Self {
            trust_domain: trust_domain.into(),
            roles: roles.into(),
            id: None,
        }
    }

    /// Only the one with this id.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Tells whether this is such a peer.
    #[must_use]
    pub fn accepts(&self, peer: &SpiffeId) -> bool {
        peer.trust_domain() == self.trust_domain
            && self.roles.contains(&peer.role())
            && self.id.as_ref().is_none_or(|id| id == peer.id())
    }
}

/// Whether a certificate's dates count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dates {
    /// An expired certificate is refused in the handshake. One that begins later is not: only a
    /// clock that is behind meets it, and whoever issued it vouches for it all the same.
    Checked,
    /// The handshake accepts it; the server looks at the dates on each request, so that a peer
    /// whose certificate expired can still renew it, and hears a clear refusal otherwise.
    LeftToTheServer,
}

/// The certificate is genuine, but not of the peer that was expected here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the certificate is for another identity than expected")]
pub struct RefusedPeer;

/// Verifies a server: chain, expiry, identity. The host name does not matter: identity is not
/// address.
pub(super) struct ServerVerifier {
    roots: RootCertStore,
    expected: ExpectedPeer,
    signatures: Signatures,
}

impl ServerVerifier {
    pub(super) fn new(
        ca: &[CertificateDer<'static>],
        expected: ExpectedPeer,
    ) -> Result<Self, Error> {
        Ok(Self {
            roots: roots(ca)?,
            expected,
            signatures: Signatures::new(),
        })
    }
}

impl fmt::Debug for ServerVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerVerifier")
            .field("expected", &self.expected)
            .finish_non_exhaustive()
    }
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.signatures.certificate_algorithms();
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.roots,
            intermediates,
            not_before_it_begins(end_entity, now)?,
            algorithms,
        )?;
        check_identity(&self.expected, end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(Signatures::refuse_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signatures.verify(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signatures.schemes()
    }
}

/// Verifies a client: chain, identity, and dates where they count.
pub(super) struct ClientVerifier {
    chain: Arc<dyn ClientCertVerifier>,
    expected: ExpectedPeer,
    dates: Dates,
}

impl ClientVerifier {
    pub(super) fn new(
        ca: &[CertificateDer<'static>],
        expected: ExpectedPeer,
        dates: Dates,
    ) -> Result<Self, Error> {
        let roots = Arc::new(roots(ca)?);
        let chain = WebPkiClientVerifier::builder_with_provider(roots, provider())
            // Nothing of the cluster is told to a peer that has not shown a certificate.
            .clear_root_hint_subjects()
            .build()
            .map_err(|error| unusable_authority().with_source(error))?;
        Ok(Self {
            chain,
            expected,
            dates,
        })
    }
}

impl fmt::Debug for ClientVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientVerifier")
            .field("expected", &self.expected)
            .field("dates", &self.dates)
            .finish_non_exhaustive()
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let at = match self.dates {
            Dates::Checked => not_before_it_begins(end_entity, now)?,
            Dates::LeftToTheServer => within_validity(end_entity)?,
        };
        let verified = self
            .chain
            .verify_client_cert(end_entity, intermediates, at)?;
        check_identity(&self.expected, end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(Signatures::refuse_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

pub(super) fn roots(ca: &[CertificateDer<'static>]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in ca {
        roots
            .add(certificate.clone())
            .map_err(|error| unusable_authority().with_source(error))?;
    }
    Ok(roots)
}

/// A moment at which the certificate is valid: its last one, since an authority outlives what it
/// issues, while a backdated certificate may begin before its authority.
pub(super) fn within_validity(certificate: &CertificateDer<'_>) -> Result<UnixTime, rustls::Error> {
    let facts = CertificateFacts::read(certificate).map_err(|_| refused())?;
    Ok(UnixTime::since_unix_epoch(Duration::from_millis(
        facts.not_after_ms,
    )))
}

/// The moment that a certificate is judged at: now, but where this machine's clock is behind.
/// Without a battery it says 1970 after a power cut, and nothing may depend on somebody coming to
/// set it.
fn not_before_it_begins(
    certificate: &CertificateDer<'_>,
    now: UnixTime,
) -> Result<UnixTime, rustls::Error> {
    let facts = CertificateFacts::read(certificate).map_err(|_| refused())?;
    let begins = UnixTime::since_unix_epoch(Duration::from_millis(facts.not_before_ms));
    Ok(now.max(begins))
}

pub(super) fn check_identity(
    expected: &ExpectedPeer,
    certificate: &CertificateDer<'_>,
) -> Result<(), rustls::Error> {
    let facts = CertificateFacts::read(certificate).map_err(|_| refused())?;
    if expected.accepts(&facts.id) {
        Ok(())
    } else {
        Err(refused())
    }
}

pub(super) fn refused() -> rustls::Error {
    rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(RefusedPeer))))
}

fn unusable_authority() -> Error {
    Error::new(
        Reason::Storage,
        "ca.pem holds no usable certificate; get it again by joining",
    )
}
