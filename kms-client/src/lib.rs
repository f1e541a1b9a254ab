//! The library that applications link to use Ward's keys.

pub mod archive;
pub mod error;
pub mod identity;
pub mod limits;
pub mod reason;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod tls;

pub use error::{Error, Result};
