//! A node's life: [`init`] or [`join`] once, then [`run`] at every start.

pub(crate) mod anchors;
mod assembly;
pub(crate) mod context;
mod error;
mod genesis_file;
mod honour;
pub(crate) mod identity_file;
mod init;
mod join;
mod known_peers;
mod layout;
mod listeners;
mod peer_handler;
pub(crate) mod peers;
pub(crate) mod policies;
mod removal;
mod renew;
mod rotation;
mod run;
mod servers;
mod serving;
pub(crate) mod succession;
mod unseal;

pub use error::NodeError;
pub use identity_file::{Given, given};
pub use init::{InitOptions, Initialized, Operator, init};
pub use join::{JoinOptions, Joined, join};
pub use run::{run, run_until};
pub use serving::STOP_MAX;
