//! Why a checkpoint key is a node's: the node's certificate key signed it, and the cluster's
//! authority signed the certificate.
//!
//! ```text
//! authority ──signs──▶ node's certificate ──signs──▶ audit public key ──signs──▶ checkpoints
//! ```
//! The leader checks this before it puts a key into the state; an auditor, who has the
//! authority's public key or its digest from elsewhere, checks it again.

use kms_client::identity::{CertificateFacts, Identity, Role};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::key::{LogName, PublicKey};

/// A checkpoint key with the proof whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundKey {
    /// Ed25519.
    pub public_key: PublicKey,
    /// ECDSA over P-256 with SHA-256, ASN.1, by the certificate's key.
    pub binding: Vec<u8>,
    /// The node's certificate when it was bound, DER; its dates do not matter here.
    pub certificate: Vec<u8>,
}

/// What does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// Not a certificate of Ward.
    #[error("its certificate is malformed")]
    Malformed,
    /// Of another identity.
    #[error("its certificate is not this node's")]
    Foreign,
    /// Not by this authority.
    #[error("its certificate is not signed by the cluster's authority")]
    Authority,
    /// The node did not sign it.
    #[error("the node's certificate key has not signed it")]
    Signature,
}

impl BoundKey {
    /// Binds `public_key` to the node of `identity`.
    ///
    /// # Errors
    /// When the identity's key cannot sign.
    pub(crate) fn make(
        name: &LogName,
        public_key: PublicKey,
        identity: &Identity,
    ) -> Result<Self, kms_client::Error> {
        Ok(Self {
            public_key,
            binding: identity.sign_p256(&name.statement(PURPOSE, &public_key))?,
            certificate: identity.certificate().to_vec(),
        })
    }

    /// Checks the way from the authority, one of these certificates, to the key.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify(&self, name: &LogName, ca: &[Vec<u8>]) -> Result<(), BindingError> {
        let certificate = parse(&self.certificate)?;
        let signed_by = |authority: &&Vec<u8>| {
            parse(authority).is_ok_and(|authority| {
                let signature = &certificate.signature_value.data;
                verify_p256(&authority, certificate.tbs_certificate.as_ref(), signature)
            })
        };
        if ca.iter().find(signed_by).is_none() {
            return Err(BindingError::Authority);
        }
        let facts = CertificateFacts::read(&CertificateDer::from(self.certificate.as_slice()))
            .map_err(|_| BindingError::Malformed)?;
        if facts.id.role() != Role::Node || facts.id.id() != name.node.to_string() {
            return Err(BindingError::Foreign);
        }
        let statement = name.statement(PURPOSE, &self.public_key);
        if !verify_p256(&certificate, &statement, &self.binding) {
            return Err(BindingError::Signature);
        }
        Ok(())
    }
}

/// SHA-256 of an authority's public key, by which join tokens and auditors know it; none when
/// this is no certificate.
#[must_use]
pub fn authority_sha256(certificate: &[u8]) -> Option<[u8; 32]> {
    kms_client::identity::spki_sha256(&CertificateDer::from(certificate)).ok()
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, BindingError> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) | Err(_) => Err(BindingError::Malformed),
    }
}

/// Whether the certificate's key made this signature.
fn verify_p256(certificate: &X509Certificate<'_>, message: &[u8], signature: &[u8]) -> bool {
    let key = &certificate.public_key().subject_public_key.data;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key)
        .verify(message, signature)
        .is_ok()
}

const PURPOSE: &[u8] = b"ward/audit/key/v1\0";
