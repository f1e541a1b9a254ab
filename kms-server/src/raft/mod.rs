//! Raft: openraft's storage and network, and what rides beside it between peers.

mod log;
mod machine;
pub(crate) mod network;
pub mod peer;
mod snapshot;
mod types;

#[cfg(test)]
pub(crate) use log::write_format as write_log_format;
pub(crate) use log::{
    BeforeFirst, EngineError, Floor, LogStore, Opened as LogOpened, Shared as LogShared, Torn,
};
pub(crate) use machine::{Core, StateMachine};
pub use network::PeerApi;
pub(crate) use snapshot::{Incoming, Shelf, SnapshotNewer};
pub use types::{Answer, Member, TypeConfig};

/// The running Raft.
pub(crate) type RaftHandle = openraft::Raft<TypeConfig, StateMachine>;
