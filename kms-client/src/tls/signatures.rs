//! Handshake signatures, verified the same way by every verifier of Ward.

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::{DigitallySignedStruct, PeerIncompatible, SignatureScheme};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};

use super::provider;

/// The provider's signature algorithms.
#[derive(Debug)]
pub(super) struct Signatures(WebPkiSupportedAlgorithms);

impl Signatures {
    pub(super) fn new() -> Self {
        Self(provider().signature_verification_algorithms)
    }

    pub(super) fn certificate_algorithms(
        &self,
    ) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
        self.0.all
    }

    pub(super) fn verify(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0)
    }

    pub(super) fn schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }

    /// Configurations are made for 1.3 alone; this says so a second time.
    pub(super) fn refuse_tls12() -> rustls::Error {
        rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13)
    }
}
