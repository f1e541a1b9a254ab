//! Why the replica could not do what it was asked.

use thiserror::Error;

use crate::command::Refusal;
use crate::raft::Member;
use crate::state::NodeId;

/// Why a replica was not opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The node was initialised, but its log is empty or ends before what it is known to hold.
    #[error(
        "the log of node {node} was lost or shortened ({detail}); it must not vote under its old \
         id: set the directory of this one node aside, keep all others, and join it again with a \
         new token; `ward up` joins it by itself when it starts"
    )]
    LogShortened {
        /// Which node.
        node: NodeId,
        /// What was expected and found.
        detail: String,
    },
    /// Written by a newer version.
    #[error("{path} has format version {found}, this program knows {known}; use a newer program")]
    Newer {
        /// Which file.
        path: String,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// A file is not what it should be.
    #[error("{path} is damaged: {detail}")]
    Damaged {
        /// Which file.
        path: String,
        /// What is wrong.
        detail: String,
    },
    /// The file system refused.
    #[error("cannot open {path}")]
    Io {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Raft refused to start.
    #[error("raft cannot start: {0}")]
    Raft(String),
}

/// Why a replica ended without being asked to. Only a new start mends it: what Raft holds in
/// memory is gone.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StopError {
    /// What was committed finds no room.
    #[error("the disk is full ({detail}); free some space, then start the node again")]
    Full {
        /// What was being done.
        detail: String,
    },
    /// The disk failed.
    #[error("the node's storage failed ({detail}); mend its disk, then start the node again")]
    Storage {
        /// What was being done.
        detail: String,
    },
    /// The cluster went on to a format that this program does not know.
    #[error(
        "the cluster's state has format {found} now, this program knows up to {known}: run the \
         newer version, as the other nodes do"
    )]
    Newer {
        /// The cluster's.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Raft ended for another cause.
    #[error("raft ended by itself ({detail})")]
    Raft {
        /// What it said last.
        detail: String,
    },
}

/// Why a write was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProposeError {
    /// The command was applied and refused; nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another node leads; the write did not happen.
    #[error("this node does not lead")]
    NotLeader {
        /// Who does, when known.
        leader: Option<(NodeId, Member)>,
    },
    /// Leadership was lost on the way. Whether the write happened is unknown: repeat it with the
    /// same idempotency key.
    #[error("leadership was lost while the write was under way; repeat it")]
    Unknown,
    /// No quorum acknowledged within the deadline. Whether the write will happen is unknown.
    #[error("no quorum of nodes answers; see that most nodes run and reach each other")]
    NoQuorum,
    /// This node lacks the root key and leads only until another voter can; nothing was written.
    #[error("the leader is sealed and hands over; try again, or put its seal back")]
    Sealed,
    /// The disk is almost full; the write did not happen, reads go on.
    #[error("the disk is almost full; free some space")]
    StorageFull,
    /// The replica stopped, by request or because its disk failed.
    #[error("the replica has stopped")]
    Stopped,
}

/// Why a member is not removed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RemovalError {
    /// Never joined, or removed before.
    #[error("no member has the node_id {node}; `ward cluster status` shows who is one")]
    Unknown {
        /// Which node.
        node: NodeId,
    },
    /// Nobody would be left.
    #[error("node_id {node} is the last voter; let another node join first")]
    LastVoter {
        /// Which node.
        node: NodeId,
    },
    /// Too few of those that stay are there.
    #[error(
        "without node_id {node}, {quorum} of {left} voters must be there, but node_id {missing} \
         does not answer or has not caught up; bring that back first"
    )]
    Quorum {
        /// Which node.
        node: NodeId,
        /// How many voters would be left.
        left: usize,
        /// How many of them must be there.
        quorum: usize,
        /// Which are not.
        missing: String,
    },
    /// It is decided, and Raft has not carried it out in time.
    #[error(
        "the removal of node_id {node} is recorded and goes on by itself; \
         `ward cluster status` shows when it is done"
    )]
    Unfinished {
        /// Which node.
        node: NodeId,
    },
}

/// Why leadership is not handed over.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransferError {
    /// Never joined, or removed before.
    #[error("no member has the node_id {node}; `ward cluster status` shows who is one")]
    Unknown {
        /// Which node.
        node: NodeId,
    },
    /// It catches up.
    #[error("node_id {node} has no vote yet; it can lead once `ward cluster status` shows that")]
    NoVote {
        /// Which node.
        node: NodeId,
    },
    /// Its removal is decided.
    #[error("node_id {node} is being removed from the cluster; name another")]
    Leaving {
        /// Which node.
        node: NodeId,
    },
    /// The leader does not hear it, or it lacks too much of the log.
    #[error("node_id {node} does not answer the leader or has not caught up; see its log")]
    Behind {
        /// Which node.
        node: NodeId,
    },
    /// It was told to and did not; writes stopped meanwhile, and another may lead.
    #[error(
        "node_id {node} did not take leadership over; {}",
        .leader.as_ref().map_or_else(
            || "nobody does now, until another is elected".to_owned(),
            |(leader, _)| format!("node_id {leader} leads now"),
        )
    )]
    NotTaken {
        /// Which node.
        node: NodeId,
        /// Who leads instead, when known.
        leader: Option<(NodeId, Member)>,
    },
}

/// Why no read barrier was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BarrierError {
    /// No leader is known.
    #[error("no leader is known; see that most nodes run and reach each other")]
    NoLeader,
    /// The leader could not confirm that it leads.
    #[error("no quorum of nodes answers; see that most nodes run and reach each other")]
    NoQuorum,
    /// This node did not catch up in time.
    #[error("this node did not catch up in time")]
    Behind,
    /// The replica stopped.
    #[error("the replica has stopped")]
    Stopped,
}

/// Why an index was not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WaitError {
    /// Not in time.
    #[error("this node did not apply index {at_least} in time")]
    TimedOut {
        /// What was waited for.
        at_least: u64,
    },
    /// The replica stopped.
    #[error("the replica has stopped")]
    Stopped,
}
