//! Ward's formats and secret types: sans-IO, without clock and runtime.
//!
//! This is the only crate that touches an AEAD or HKDF. Every format is written down byte by byte
//! in `docs/format.md`; every key derivation is in one file, `derive.rs`, but that of HPKE, which
//! is RFC 9180's and stands with it.
//!
//! ```text
//!  key version ──blob──▶ wrapped data key ──▶ data key ──object──▶ prologue ‖ Cobblestone-256 body
//!  term key ───record──▶ sealed key version, CA key, policy, device metadata
//! ```
//!
//! Three rules hold everywhere. No nonce is a parameter: each message derives a key of its own from
//! a random salt. A commitment to that key is compared before anything is decrypted. Every failure
//! to open is the one error [`OpenFailed`], whatever its cause, and each failure to verify
//! [`VerifyFailed`].

pub mod approval;
pub mod blob;
pub mod context;
pub mod hpke;
pub mod id;
pub mod import;
pub mod limits;
pub mod mac;
pub mod object;
pub mod record;
pub mod secret;
pub mod segment;
pub mod signature;
pub mod stream;
pub mod token;

mod aead;
mod chunked;
mod derive;
mod error;
mod random;
mod wipe;
mod wire;

pub use error::{FormatError, OpenFailed, VerifyFailed};

#[cfg(test)]
mod tests;
