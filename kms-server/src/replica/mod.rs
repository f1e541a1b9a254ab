//! The replica: this node's copy of the cluster's state, and the way to change it.
//!
//! The API proposes, reads, waits and watches here and knows nothing of Raft.

mod barrier;
mod change;
mod config;
mod error;
pub mod limits;
mod status;

use std::time::Duration;

use tokio::sync::broadcast;

use crate::command::{Genesis, Outcome, Proposal};
use crate::raft::Member;
use crate::state::{Addresses, Index, NodeId};

pub use barrier::ReadBarrier;
pub use change::{Change, Event};
pub use config::ReplicaConfig;
pub use error::{BarrierError, OpenError, ProposeError, WaitError};
pub use status::{MemberStatus, ReplicaRole, Status};

/// A handle to this node's replica; clones are cheap and the same replica.
#[derive(Clone, Debug)]
pub struct Replica {}

/// A command that was applied on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The log index at which the answer first stood; this node has applied at least this much.
    pub index: u64,
    /// The answer.
    pub outcome: Outcome,
}

impl Replica {
    /// Opens the replica in its directory and takes part in Raft from then on.
    ///
    /// # Errors
    ///
    /// When the directory is another node's, newer, damaged, or its log was shortened.
    pub async fn open(_config: ReplicaConfig) -> Result<Self, OpenError> {
        Err(OpenError::NotYet)
    }

    /// Begins a new cluster with this node as its only member. On a cluster that has begun,
    /// does nothing.
    ///
    /// # Errors
    ///
    /// As [`Self::propose`].
    pub async fn initialize(&self, _genesis: Genesis) -> Result<(), ProposeError> {
        Err(ProposeError::NotYet)
    }

    /// Proposes a write; answers once it is durable on a quorum and applied here.
    ///
    /// # Errors
    ///
    /// [`ProposeError`]; of some it is unknown whether the write happened, see there.
    pub async fn propose(&self, _proposal: Proposal) -> Result<Applied, ProposeError> {
        Err(ProposeError::NotYet)
    }

    /// Reads the state as this node has applied it, perhaps stale. Keep `read` short: apply
    /// waits for it.
    pub fn read<T>(&self, read: impl FnOnce(&Index) -> T) -> T {
        read(&Index::default())
    }

    /// How far this node has applied the log.
    pub fn applied_index(&self) -> u64 {
        0
    }

    /// Waits until this node has applied at least this much.
    ///
    /// # Errors
    ///
    /// When it did not within `patience`, or the replica stopped.
    pub async fn wait_applied(&self, _at_least: u64, _patience: Duration) -> Result<(), WaitError> {
        Err(WaitError::NotYet)
    }

    /// Waits until everything answered before this call began is applied here.
    ///
    /// # Errors
    ///
    /// Without a leader or a quorum.
    pub async fn read_barrier(&self) -> Result<ReadBarrier, BarrierError> {
        Err(BarrierError::NotYet)
    }

    /// Changes as this node applies them. Who lags gets `Lagged` and must forget what it cached.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        broadcast::channel(1).1
    }

    /// What this node knows of itself and the members.
    pub fn status(&self) -> Status {
        Status::default()
    }

    /// The leader, when one is known, and how it is reached.
    pub fn leader(&self) -> Option<(NodeId, Member)> {
        None
    }

    /// A member by its id.
    pub fn member(&self, _node: NodeId) -> Option<Member> {
        None
    }

    /// The member that holds this public key (SubjectPublicKeyInfo, DER): a listener for peers
    /// admits nobody else. A node that was let in but is not a member yet is found too.
    pub fn member_by_public_key(&self, _public_key: &[u8]) -> Option<NodeId> {
        None
    }

    /// Says that this node is reached at other addresses now; repeated until it is recorded.
    pub fn announce(&self, _addresses: Addresses) {}

    /// Hands leadership to another voter, if this node leads and there is one.
    pub async fn hand_over(&self) {}

    /// Stops taking part, with everything on disk.
    pub async fn shutdown(&self) {}
}
