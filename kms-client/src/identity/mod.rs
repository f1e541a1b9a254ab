//! One's own identity: the private key, its certificate, the cluster's authority, and where the
//! nodes are. Nodes, gateways, operators and applications each have such a folder.

mod certificate;
mod dir;
mod endpoints;
mod pem;
mod spiffe;

use std::sync::Arc;

use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

pub use certificate::{CertificateFacts, spki_sha256};
pub use dir::IdentityDir;
pub use endpoints::{Endpoint, NodeId};
pub use spiffe::{Role, SpiffeId};

use crate::error::Error;
use crate::reason::Reason;
use crate::tls;

/// A private key with its certificate, ready to sign handshakes; the key itself cannot be got
/// back out.
#[derive(Clone)]
pub struct Identity {
    certified: Arc<CertifiedKey>,
    ca: Vec<CertificateDer<'static>>,
    facts: CertificateFacts,
}

impl Identity {
    /// Puts an identity together.
    ///
    /// # Errors
    ///
    /// [`Reason::CertificateForeign`] when the certificate is not one of Ward or is for another
    /// key; [`Reason::Storage`] when the key is malformed.
    pub fn new(
        key: PrivateKeyDer<'static>,
        certificate: CertificateDer<'static>,
        ca: Vec<CertificateDer<'static>>,
    ) -> Result<Self, Error> {
        let facts = CertificateFacts::read(&certificate)?;
        let signing_key = tls::provider()
            .key_provider
            .load_private_key(key)
            .map_err(|error| {
                let message = "the private key cannot be used; get a new identity by joining";
                Error::new(Reason::Storage, message).with_source(error)
            })?;
        let certified = CertifiedKey::new(vec![certificate], signing_key);
        certified.keys_match().map_err(|error| {
            let message = "the certificate is for another private key; get a new one by joining";
            Error::new(Reason::CertificateForeign, message).with_source(error)
        })?;
        Ok(Self {
            certified: Arc::new(certified),
            ca,
            facts,
        })
    }

    /// Who this is.
    #[must_use]
    pub fn id(&self) -> &SpiffeId {
        &self.facts.id
    }

    /// What the certificate says.
    #[must_use]
    pub fn facts(&self) -> &CertificateFacts {
        &self.facts
    }

    /// The certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        // Made with exactly one certificate.
        &self.certified.cert[0]
    }

    /// The cluster's authority, DER.
    #[must_use]
    pub fn ca(&self) -> &[CertificateDer<'static>] {
        &self.ca
    }

    /// Signs `message` with this identity's key: ECDSA over P-256 with SHA-256, ASN.1. The caller
    /// puts a word for its purpose first, so that no signature serves two.
    ///
    /// # Errors
    ///
    /// [`Reason::Storage`] when the key is of another kind.
    pub fn sign_p256(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let unable = || {
            let message = "the private key cannot sign; get a new identity by joining";
            Error::new(Reason::Storage, message)
        };
        let offered = [rustls::SignatureScheme::ECDSA_NISTP256_SHA256];
        let signer = self.certified.key.choose_scheme(&offered);
        let signer = signer.ok_or_else(unable)?;
        signer
            .sign(message)
            .map_err(|error| unable().with_source(error))
    }

    /// The public key of the certificate, a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    ///
    /// [`Reason::CertificateForeign`] when the certificate cannot be read.
    pub fn public_key(&self) -> Result<Vec<u8>, Error> {
        certificate::spki(self.certificate())
    }

    pub(crate) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }
}
