//! Knows a node before one has the authority's certificate: by the authority's public key, whose
//! hash stands in the join token.

use std::fmt;

use rustls::RootCertStore;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::authority::{refused, within_validity};
use super::signatures::Signatures;
use crate::identity::{CertificateFacts, Role, spki_sha256};

/// Verifies that the server is a node whose chain ends in the pinned authority. Dates are left
/// out: a machine that joins may not have set its clock yet, and the token has its own expiry.
pub(super) struct JoinVerifier {
    ca_spki_sha256: [u8; 32],
    signatures: Signatures,
}

impl JoinVerifier {
    pub(super) fn new(ca_spki_sha256: [u8; 32]) -> Self {
        Self {
            ca_spki_sha256,
            signatures: Signatures::new(),
        }
    }

    /// Finds the pinned authority among what the server sent, and trusts it alone.
    fn pinned_root(&self, sent: &[CertificateDer<'_>]) -> Result<RootCertStore, rustls::Error> {
        let is_pinned = |sent: &&CertificateDer<'_>| {
            spki_sha256(sent).is_ok_and(|it| it == self.ca_spki_sha256)
        };
        let authority = sent.iter().find(is_pinned).ok_or_else(refused)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        Ok(roots)
    }
}

impl fmt::Debug for JoinVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinVerifier").finish_non_exhaustive()
    }
}

impl ServerCertVerifier for JoinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let roots = self.pinned_root(intermediates)?;
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &roots,
            &[],
            within_validity(end_entity)?,
            self.signatures.certificate_algorithms(),
        )?;
        let facts = CertificateFacts::read(end_entity).map_err(|_| refused())?;
        if facts.id.role() != Role::Node {
            return Err(refused());
        }
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
