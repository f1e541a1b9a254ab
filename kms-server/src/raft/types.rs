//! The types openraft is instantiated with.

use serde::{Deserialize, Serialize};

use crate::command::{Outcome, Proposal, Refusal};
use crate::state::{Addresses, NodeId};

openraft::declare_raft_types!(
    /// What our Raft is made of.
    pub TypeConfig:
        D = Proposal,
        R = Answer,
        NodeId = NodeId,
        Node = Member,
);

/// A member as the Raft membership records it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Where it is reached.
    pub addresses: Addresses,
    /// SubjectPublicKeyInfo, DER; peers know it by this and by nothing else.
    pub public_key: Vec<u8>,
}

/// What applying one entry answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// A blank or membership entry.
    Nothing,
    /// It was done, here or by an earlier entry that this one repeats.
    Done {
        /// The log index at which the answer first stood.
        index: u64,
        /// The answer.
        outcome: Outcome,
    },
    /// It was refused.
    Refused(Refusal),
}
