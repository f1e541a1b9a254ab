//! What a replica is opened with.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::raft::Member;
use crate::raft::peer::PeerConnector;
use crate::state::NodeId;

/// What a replica is opened with.
#[derive(Clone)]
pub struct ReplicaConfig {
    /// This node.
    pub node_id: NodeId,
    /// The node's data directory; `log/`, `log.floor`, `log.torn`, `state/`, `state.boot` and
    /// `snapshots/` in it are the replica's.
    pub dir: PathBuf,
    /// Where this node is reached now, and its public key.
    pub member: Member,
    /// Where peers may be reached when the address in the membership does not answer.
    pub hints: BTreeMap<NodeId, String>,
    /// Makes connections to peers.
    pub connector: Arc<dyn PeerConnector>,
    /// Whether the identity file says that this node's log ever held anything.
    pub initialised: bool,
    /// Whether the node lacks the root key as it starts; [`super::Replica::set_sealed`] says later.
    pub sealed: bool,
    /// The newest format of the state that this program knows.
    pub format_known: u32,
    /// For how long a learner keeps up without a break before it votes.
    pub steady_time: Duration,
    /// How many entries after a snapshot the next one is written.
    pub snapshot_entries: u64,
    /// Writes that into the identity file, durably. Called once, off the runtime, before the first
    /// vote or entry of a node that was not initialised is acknowledged.
    pub mark_initialised: Arc<dyn Fn() -> io::Result<()> + Send + Sync>,
}

impl fmt::Debug for ReplicaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplicaConfig")
            .field("node_id", &self.node_id)
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}
