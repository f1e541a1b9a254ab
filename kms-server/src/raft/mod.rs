//! Raft: openraft's storage and network, and what rides beside it between peers.

pub mod peer;
mod types;

pub use types::{Answer, Member, TypeConfig};
