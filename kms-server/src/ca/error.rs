//! Why the authority refuses.

/// Why the authority refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaError {
    /// Not a PKCS#10 request, or one beyond the limit.
    #[error("not a certificate signing request; send PKCS#10 in DER, at most 8 KiB")]
    Malformed,
    /// A kind of key that Ward does not certify.
    #[error("the request's key is neither ECDSA P-256 nor Ed25519; make one of these")]
    KeyType,
    /// The sender does not hold the private key.
    #[error("the request is not signed by its own key; sign it with the key it names")]
    Possession,
    /// Another cluster's identity.
    #[error("the identity belongs to another trust domain than this authority")]
    TrustDomain,
    /// The trust domain cannot stand in a URI.
    #[error("the trust domain is no SPIFFE trust domain; use 1 to 255 of a-z 0-9 - . _")]
    TrustDomainName,
    /// The stored key or certificate is not what it should be: the state is at fault.
    #[error("the authority's key does not match its certificate; restore the state")]
    Damaged,
    /// The system gave no random bytes or could not sign: a fault of the machine.
    #[error("the system could not make a signature")]
    System,
}
