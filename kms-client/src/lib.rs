//! The library that applications link to use Ward's keys.

pub mod archive;
mod client;
pub mod data_keys;
pub mod error;
pub mod identity;
pub mod join;
pub mod limits;
pub mod model;
pub mod reason;
pub mod stream;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod tls;

pub use client::{Client, ClientBuilder, Watch};
pub use envelope::context::EncryptionContext;
pub use envelope::token::JoinToken;
pub use error::{Error, Result};
