//! The cluster's certificate authority: one P-256 key, sealed in the state, that names identities.
//!
//! `init` makes it. The join and certificate handlers verify a signing request, decide in their
//! own way who the caller is, and let the authority issue a certificate for that identity. Of the
//! request only the public key is used: a caller cannot ask for a name.

pub use authority::{Authority, Issued};
pub use error::CaError;
pub use request::CertificateRequest;

mod authority;
mod error;
mod lifetime;
mod request;
mod signer;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wycheproof;
