//! A node's life: [`init`] or [`join`] once, then [`run`] at every start.

pub(crate) mod context;
mod error;
pub(crate) mod identity_file;
mod init;
mod join;
pub(crate) mod peers;
pub(crate) mod policies;
mod run;

pub use error::NodeError;
pub use init::{InitOptions, Initialized, Operator, init};
pub use join::{JoinOptions, Joined, join};
pub use run::run;
