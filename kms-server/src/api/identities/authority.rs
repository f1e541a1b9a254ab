//! Takes up the cluster's authority for one issuance; its key is dropped with it.

use envelope::secret::SecretBytes;
use kms_client::reason::Reason;

use crate::api::failure::Failure;
use crate::ca::Authority;
use crate::keyring::Place;
use crate::node::context::Node;

/// The authority, and all its certificates for whoever shall trust it.
pub(crate) struct Opened {
    /// Issues.
    pub(crate) authority: Authority,
    /// Newest first.
    pub(crate) certificates_der: Vec<Vec<u8>>,
}

/// Opens the authority's key.
///
/// # Errors
/// When the cluster has not begun, this node is sealed, or the record does not open.
pub(crate) fn open(node: &Node) -> Result<Opened, Failure> {
    let stored = node.replica.read(|index| {
        let cluster = index.cluster()?;
        Some((cluster.ca_key.clone(), cluster.ca_certificates.clone()))
    });
    let (sealed, certificates_der) = stored.ok_or_else(not_begun)?;
    let key: SecretBytes = node.vault.open_record(&Place::ca_key(), &sealed)?;
    let newest = certificates_der.first().ok_or_else(not_begun)?;
    let authority = Authority::open(newest, key)?;
    Ok(Opened {
        authority,
        certificates_der,
    })
}

/// The failure of a node that has not caught up with the cluster's beginning.
pub(crate) fn not_begun() -> Failure {
    Failure::new(
        Reason::Unavailable,
        "this node has not caught up with the cluster; try again",
    )
}
