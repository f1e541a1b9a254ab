//! What a node knows of itself and the members, without asking anyone.

use openraft::ServerState;
use openraft::async_runtime::WatchReceiver;

use super::Replica;
use crate::raft::Member;
use crate::state::NodeId;

/// What a node does in Raft.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplicaRole {
    /// Orders writes.
    Leader,
    /// Votes and serves.
    Follower,
    /// Catches up; no vote.
    #[default]
    Learner,
    /// Stands for election.
    Candidate,
    /// Stopped, by request or by a failing disk.
    Stopped,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// Which node.
    pub node_id: NodeId,
    /// How it is reached.
    pub member: Member,
    /// Whether it votes.
    pub voter: bool,
}

/// What a node knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Itself.
    pub node_id: NodeId,
    /// What it does.
    pub role: ReplicaRole,
    /// Who leads, when known.
    pub leader: Option<NodeId>,
    /// Its term.
    pub term: u64,
    /// How far its log goes.
    pub last_log_index: u64,
    /// How far it has applied.
    pub applied_index: u64,
    /// Up to where its newest snapshot goes.
    pub snapshot_index: u64,
    /// Everyone it knows, by id.
    pub members: Vec<MemberStatus>,
}

impl Replica {
    /// The newest term that this node knows.
    pub fn term(&self) -> u64 {
        self.inner.raft.metrics().borrow_watched().current_term
    }

    /// How many members there are, as this node knows it; at least itself.
    pub fn members_count(&self) -> usize {
        let metrics = self.inner.raft.metrics();
        let metrics = metrics.borrow_watched();
        let membership = metrics.membership_config.membership();
        membership.nodes().count().max(1)
    }

    /// What this node knows of itself and the members.
    pub fn status(&self) -> Status {
        let metrics = self.inner.raft.metrics().borrow_watched().clone();
        let membership = metrics.membership_config.membership();
        let voters: Vec<NodeId> = membership.voter_ids().collect();
        let members = membership.nodes().map(|(node_id, member)| MemberStatus {
            node_id: *node_id,
            member: member.clone(),
            voter: voters.contains(node_id),
        });
        let role = match metrics.running_state {
            Ok(()) => role(metrics.state),
            Err(_) => ReplicaRole::Stopped,
        };
        Status {
            node_id: self.inner.node_id,
            role,
            leader: metrics.current_leader,
            term: metrics.current_term,
            last_log_index: metrics.last_log_index.unwrap_or_default(),
            applied_index: self.applied_index(),
            snapshot_index: metrics.snapshot.map_or(0, |log_id| log_id.index),
            members: members.collect(),
        }
    }
}

fn role(state: ServerState) -> ReplicaRole {
    match state {
        ServerState::Learner => ReplicaRole::Learner,
        ServerState::Follower => ReplicaRole::Follower,
        ServerState::Candidate => ReplicaRole::Candidate,
        ServerState::Leader => ReplicaRole::Leader,
        ServerState::Shutdown => ReplicaRole::Stopped,
    }
}
