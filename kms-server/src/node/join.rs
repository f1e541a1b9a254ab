//! Enters an existing cluster: exchanges a join token for a node's identity.

use envelope::token::JoinToken;
use kms_client::identity::IdentityDir;
use kms_client::join::{Member, NodeAddresses};
use kms_client::reason::Reason;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::node::NodeError;
use crate::node::identity_file::IdentityFile;
use crate::node::layout::Layout;
use crate::state::NodeId;

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
    /// The members before it, for the first contact.
    pub members: Vec<Member>,
}

/// Makes the node's key, consumes the token and writes the node's identity; the node becomes a
/// learner, then a voter, once it is started with [`crate::run`].
///
/// Repeated after a crash with the same token it gets the same id, since the key is the same.
///
/// # Errors
/// When the directory belongs to a cluster already, the token is refused, or no member answers.
pub async fn join(options: JoinOptions) -> Result<Joined, NodeError> {
    let layout = Layout::new(&options.config.data_dir);
    if IdentityFile::load(layout.root())?.is_some() {
        return Err(NodeError::AlreadyInitialised {
            path: layout.root().to_owned(),
        });
    }
    options.config.check_told()?;
    layout.create()?;
    let token = JoinToken::decode(&options.token)
        .map_err(|error| kms_client::Error::new(Reason::TokenInvalid, error.to_string()))?;
    let tls = IdentityDir::new(layout.tls());
    let addresses = options.config.addresses();
    let addresses = NodeAddresses {
        api: addresses.api,
        peer: addresses.peer,
        join: addresses.join,
    };
    let csr_der = tls.create_csr()?;
    let joined =
        kms_client::join::join(&options.endpoint, &token, &csr_der, Some(&addresses)).await?;
    let node_id = joined.node_id.ok_or_else(|| {
        let message = "the token is for another role; a node needs one for role `node`";
        kms_client::Error::new(Reason::TokenInvalid, message)
    })?;
    // With the endpoints, so that the node's identity is one that the tool can ask with.
    joined.store(&tls)?;
    // The last file: from here on the directory is a node's.
    let (cluster_id, node_id) = (joined.cluster_id, NodeId(node_id.0));
    IdentityFile {
        cluster_id,
        node_id,
        initialised: false,
        removed: false,
    }
    .store(layout.root())?;
    Ok(Joined {
        cluster_id: cluster_id.to_string(),
        node_id: node_id.0,
        members: joined.members,
    })
}
