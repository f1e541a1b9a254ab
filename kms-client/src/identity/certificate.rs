//! What a certificate says: who, until when, by which public key. Used for one's own certificate
//! and for a peer's after its chain has been verified.

use ring::digest::{SHA256, digest};
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::spiffe::SpiffeId;
use crate::error::Error;
use crate::reason::Reason;

/// The parts of a certificate that Ward decides by.
///
/// # Security
///
/// Reading verifies nothing: the chain is the TLS verifier's business (see [`crate::tls`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Who it speaks for.
    pub id: SpiffeId,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// Its first moment, in milliseconds since 1970-01-01 UTC.
    pub not_before_ms: u64,
    /// Its last moment, in milliseconds since 1970-01-01 UTC.
    pub not_after_ms: u64,
}

impl CertificateFacts {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    ///
    /// [`Reason::CertificateForeign`] unless it has exactly one URI name, an identity of Ward.
    pub fn read(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let parsed = parse(certificate)?;
        let validity = parsed.validity();
        Ok(Self {
            id: spiffe_id(&parsed)?,
            spki_sha256: sha256(parsed.public_key().raw),
            not_before_ms: ms(validity.not_before.timestamp()),
            not_after_ms: ms(validity.not_after.timestamp()),
        })
    }

    /// Tells whether the certificate's last moment is past.
    #[must_use]
    pub fn is_expired(&self, now_ms: u64) -> bool {
        now_ms > self.not_after_ms
    }

    /// Tells whether the certificate should be renewed: two fifths of its life are over, which
    /// leaves time for several tries before half of it is.
    #[must_use]
    pub fn is_due_for_renewal(&self, now_ms: u64) -> bool {
        let life_ms = self.not_after_ms.saturating_sub(self.not_before_ms);
        now_ms > self.not_before_ms.saturating_add(life_ms / 5 * 2)
    }
}

/// Answers SHA-256 of a certificate's SubjectPublicKeyInfo, which names its public key.
///
/// # Errors
///
/// [`Reason::CertificateForeign`] when it is not a certificate.
pub fn spki_sha256(certificate: &CertificateDer<'_>) -> Result<[u8; 32], Error> {
    Ok(sha256(parse(certificate)?.public_key().raw))
}

/// A certificate's SubjectPublicKeyInfo in DER.
pub(super) fn spki(certificate: &CertificateDer<'_>) -> Result<Vec<u8>, Error> {
    Ok(parse(certificate)?.public_key().raw.to_vec())
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        Ok(_) | Err(_) => Err(foreign(
            "the certificate is malformed; get a new one by joining",
        )),
    }
}

fn spiffe_id(certificate: &X509Certificate<'_>) -> Result<SpiffeId, Error> {
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| foreign("the certificate's names are malformed"))?;
    let mut uris = names
        .iter()
        .flat_map(|names| &names.value.general_names)
        .filter_map(uri);
    let (Some(uri), None) = (uris.next(), uris.next()) else {
        return Err(foreign(
            "the certificate does not have exactly one SPIFFE identity",
        ));
    };
    uri.parse()
        .map_err(|_| foreign("the certificate's identity is not one of Ward"))
}

fn uri<'a>(name: &GeneralName<'a>) -> Option<&'a str> {
    if let GeneralName::URI(uri) = name {
        Some(uri)
    } else {
        None
    }
}

fn foreign(message: &str) -> Error {
    Error::new(Reason::CertificateForeign, message)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

fn ms(unix_seconds: i64) -> u64 {
    u64::try_from(unix_seconds)
        .unwrap_or(0)
        .saturating_mul(1000)
}
