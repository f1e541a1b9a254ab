//! Runs Project Wycheproof's vectors through the code that production uses, for each primitive.
//!
//! The tests are inside the crate because the primitives are private: nobody else may call them.

mod aes_gcm;
mod cobblestone;
mod hkdf;
mod hmac;
mod signatures;
