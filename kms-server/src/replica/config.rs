//! What a replica is opened with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use envelope::id::ClusterId;

use crate::raft::Member;
use crate::raft::peer::PeerConnector;
use crate::state::NodeId;

/// What a replica is opened with.
#[derive(Clone, Debug)]
pub struct ReplicaConfig {
    /// This node.
    pub node_id: NodeId,
    /// Its cluster.
    pub cluster_id: ClusterId,
    /// The node's data directory; holds `identity.toml`, `log/`, `state/`, `snapshots/`.
    pub dir: PathBuf,
    /// Where this node is reached now, and its public key.
    pub member: Member,
    /// Where peers may be reached when the address in the membership does not answer.
    pub hints: BTreeMap<NodeId, String>,
    /// Makes connections to peers.
    pub connector: Arc<dyn PeerConnector>,
}
