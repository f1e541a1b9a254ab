//! Certificates and join tokens, as the cluster hands them out.

use envelope::token::JoinToken;
use rustls_pki_types::CertificateDer;

/// What `issue_certificate` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// For the public key of the request.
    pub certificate: CertificateDer<'static>,
    /// The cluster's authority.
    pub ca: Vec<CertificateDer<'static>>,
    /// Its last moment, in milliseconds since 1970-01-01 UTC.
    pub not_after_ms: u64,
}

/// What `create_join_token` answers.
pub struct CreatedJoinToken {
    /// The token; it is shown this once.
    pub token: JoinToken,
    /// Its last moment, in milliseconds since 1970-01-01 UTC.
    pub expires_ms: u64,
}
