//! Writing: proposals, and the one that begins a cluster.

use std::collections::BTreeMap;

use openraft::errors::{ClientWriteError, ForwardToLeader, InitializeError, RaftError};
use openraft::raft::ClientWriteResponse;

use super::limits::{ELECTION_PATIENCE, PROPOSE_TIMEOUT};
use super::{ProposeError, Replica};
use crate::command::{Command, Genesis, Outcome, Proposal, Refusal, check_format};
use crate::raft::{Answer, TypeConfig};

/// A command that was applied on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The log index at which the answer first stood; this node has applied at least this much.
    pub index: u64,
    /// The answer.
    pub outcome: Outcome,
}

impl Replica {
    /// Proposes a write; answers once it is durable on a quorum and applied here.
    ///
    /// # Errors
    ///
    /// [`ProposeError`]; of some it is unknown whether the write happened, see there.
    pub async fn propose(&self, proposal: Proposal) -> Result<Applied, ProposeError> {
        if self.inner.candidacy.is_sealed() {
            return Err(ProposeError::Sealed);
        }
        if !self.has_room() {
            return Err(ProposeError::StorageFull);
        }
        // Not by apply alone: who does not know the command cannot even take its entry.
        self.read(|index| check_format(index, &proposal.command))?;
        let writing = self.inner.raft.client_write(proposal);
        match tokio::time::timeout(PROPOSE_TIMEOUT, writing).await {
            Err(_) => Err(ProposeError::NoQuorum),
            Ok(Err(error)) => Err(explain(error)),
            Ok(Ok(response)) => answer(response),
        }
    }

    /// Whether writes find room on this node's disk.
    pub fn has_room(&self) -> bool {
        self.inner.disk.has_room()
    }

    /// Begins a new cluster with this node as its only member. On a cluster that has begun,
    /// does nothing.
    ///
    /// # Errors
    ///
    /// As [`Self::propose`].
    pub async fn initialize(&self, genesis: Genesis) -> Result<(), ProposeError> {
        if self.read(|index| index.cluster().is_some()) {
            return Ok(());
        }
        let members = BTreeMap::from([(self.inner.node_id, self.inner.member.clone())]);
        match self.inner.raft.initialize(members).await {
            // A former attempt may have come so far, and no further.
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => {}
            Err(RaftError::APIError(InitializeError::NotInMembers(_)) | RaftError::Fatal(_)) => {
                return Err(ProposeError::Stopped);
            }
        }
        let deadline = sys::clock::monotonic() + ELECTION_PATIENCE;
        let command = Command::Genesis(Box::new(genesis));
        loop {
            let proposal = Proposal::internal(sys::clock::wall_ms(), command.clone());
            match self.propose(proposal).await {
                Ok(_) | Err(ProposeError::Refused(Refusal::AlreadyBegun)) => {
                    self.inner.membership.founded();
                    return Ok(());
                }
                Err(ProposeError::NotLeader { .. }) if sys::clock::monotonic() < deadline => {
                    tokio::time::sleep(RETRY).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// How often the first node looks whether it was elected.
const RETRY: std::time::Duration = std::time::Duration::from_millis(20);

fn answer(response: ClientWriteResponse<TypeConfig>) -> Result<Applied, ProposeError> {
    match response.data {
        Answer::Done { index, outcome } => Ok(Applied { index, outcome }),
        Answer::Refused(refusal) => Err(refusal.into()),
        // A proposal is always answered; nothing else carries one.
        Answer::Nothing => Err(ProposeError::Unknown),
    }
}

fn explain(error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> ProposeError {
    match error {
        RaftError::Fatal(_) => ProposeError::Stopped,
        RaftError::APIError(ClientWriteError::ForwardToLeader(leader)) => not_leader(leader),
        RaftError::APIError(ClientWriteError::LogEntryDiscarded(_)) => ProposeError::Unknown,
        // Only changes of the membership are answered so.
        RaftError::APIError(
            ClientWriteError::ChangeMembershipError(_) | ClientWriteError::PreconditionFailed(_),
        ) => ProposeError::Unknown,
    }
}

fn not_leader(forward: ForwardToLeader<TypeConfig>) -> ProposeError {
    ProposeError::NotLeader {
        leader: forward.leader_id.zip(forward.leader_node),
    }
}
