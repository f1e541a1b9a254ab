//! What a node knows of itself and the members, without asking anyone.

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
