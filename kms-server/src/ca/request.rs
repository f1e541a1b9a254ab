//! A signing request (PKCS#10, RFC 2986) whose sender has shown to hold the private key.

use rcgen::{PublicKeyData, SubjectPublicKeyInfo};
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::oid_registry::{OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ED25519, Oid};
use x509_parser::prelude::FromDer;

use super::CaError;

/// A verified request. Nothing but its public key is kept; names it asks for are ignored.
pub struct CertificateRequest {
    pub(super) key: SubjectPublicKeyInfo,
    spki: Vec<u8>,
}

impl CertificateRequest {
    /// Parses a request in DER and verifies its signature by the key in it.
    ///
    /// # Errors
    /// Malformed or oversized input, a kind of key that is not certified, or a wrong signature.
    pub fn verify(der: &[u8]) -> Result<Self, CaError> {
        if der.len() > BYTES_MAX {
            return Err(CaError::Malformed);
        }
        let (rest, request) =
            X509CertificationRequest::from_der(der).map_err(|_| CaError::Malformed)?;
        if !rest.is_empty() {
            return Err(CaError::Malformed);
        }
        let info = &request.certification_request_info;
        let spki = info.subject_pki.raw;
        let key = SubjectPublicKeyInfo::from_der(spki).map_err(|_| CaError::KeyType)?;
        let (algorithm, name) = algorithm_of(&key)?;
        let signed_with = &request.signature_algorithm;
        let bits = &request.signature_value;
        // Outside of what is signed, so it is compared instead.
        if signed_with.algorithm != name
            || signed_with.parameters.is_some()
            || bits.unused_bits != 0
        {
            return Err(CaError::Possession);
        }
        UnparsedPublicKey::new(algorithm, key.der_bytes())
            .verify(info.raw, &bits.data)
            .map_err(|_| CaError::Possession)?;
        Ok(Self {
            spki: spki.to_vec(),
            key,
        })
    }

    /// The public key as SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_key_der(&self) -> &[u8] {
        &self.spki
    }

    /// SHA-256 of [`public_key_der`](Self::public_key_der), which identities are recorded by.
    #[must_use]
    pub fn spki_sha256(&self) -> [u8; 32] {
        let digest = ring::digest::digest(&ring::digest::SHA256, &self.spki);
        digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

/// How this kind of key signs, and what a request calls that.
pub(super) fn algorithm_of(
    key: &SubjectPublicKeyInfo,
) -> Result<(&'static dyn VerificationAlgorithm, Oid<'static>), CaError> {
    if key.algorithm() == &rcgen::PKCS_ECDSA_P256_SHA256 {
        Ok((&ECDSA_P256_SHA256_ASN1, OID_SIG_ECDSA_WITH_SHA256))
    } else if key.algorithm() == &rcgen::PKCS_ED25519 {
        Ok((&ED25519, OID_SIG_ED25519))
    } else {
        Err(CaError::KeyType)
    }
}

/// A request with a P-256 key is below 500 bytes; this leaves room for the names people put in.
const BYTES_MAX: usize = 8 << 10;
