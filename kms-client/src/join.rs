//! Entering the cluster's trust with a join token. Done once by every node, gateway, operator and
//! application, before it has an identity to be a [`crate::Client`] with.

use std::sync::Arc;

use bytes::Bytes;
use envelope::id::ClusterId;
use envelope::token::JoinToken;
use rustls_pki_types::CertificateDer;
use tokio::time::timeout;
use tonic::Request;
use ward_proto::v1;
use ward_proto::v1::join_service_client::JoinServiceClient;

use crate::client::anonymous;
use crate::error::Error;
use crate::identity::{Endpoint, Identity, IdentityDir, NodeId};
use crate::limits::DEADLINE_DEFAULT;
use crate::model::{id_from_wire, malformed_answer};
use crate::reason::Reason;
use crate::tls;

/// Where a joining node will be reached, each `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAddresses {
    /// By clients.
    pub api: String,
    /// By its peers.
    pub peer: String,
    /// By joiners.
    pub join: String,
}

/// A member of the cluster, as a joiner is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The N of `node-N`.
    pub node_id: NodeId,
    /// Where it is reached.
    pub addresses: NodeAddresses,
    /// SubjectPublicKeyInfo, DER: peers are known by it.
    pub public_key_der: Vec<u8>,
}

/// What joining gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// For the public key of the request.
    pub certificate: CertificateDer<'static>,
    /// The cluster's authority.
    pub ca: Vec<CertificateDer<'static>>,
    /// Which cluster.
    pub cluster_id: ClusterId,
    /// Its name in SPIFFE ids.
    pub trust_domain: String,
    /// For a node: its id, never given before.
    pub node_id: Option<NodeId>,
    /// The members, for the first contact.
    pub members: Vec<Member>,
}

impl Joined {
    /// Lists where clients and joiners reach the members.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let endpoint = |member: &Member| Endpoint {
            node_id: member.node_id,
            api: member.addresses.api.clone(),
            join: Some(member.addresses.join.clone()).filter(|address| !address.is_empty()),
        };
        self.members.iter().map(endpoint).collect()
    }

    /// Stores certificate, authority and endpoints in the folder that made the request.
    ///
    /// # Errors
    ///
    /// As [`IdentityDir::store_certificate`] and [`IdentityDir::store_endpoints`].
    pub fn store(&self, dir: &IdentityDir) -> Result<Identity, Error> {
        dir.store_endpoints(&self.endpoints())?;
        dir.store_certificate(&self.certificate, &self.ca)
    }
}

/// Exchanges a token for an identity at one node's join listener. The node must belong to the
/// authority that the token names. May be repeated with the same token and request.
///
/// ```no_run
/// # async fn example(token: &str) -> kms_client::Result<()> {
/// use kms_client::{JoinToken, identity::IdentityDir, join::join};
///
/// let dir = IdentityDir::new("/etc/ward/reader");
/// let token = JoinToken::decode(token)?;
/// let joined = join("10.0.0.5:7301", &token, &dir.create_csr()?, None).await?;
/// joined.store(&dir)?;
/// let client = kms_client::Client::open(dir.path())?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// `TOKEN_INVALID` when it is unknown, used with another key or past its date;
/// `CERTIFICATE_FOREIGN` when the server is not of the token's cluster; `UNAVAILABLE`.
pub async fn join(
    address: &str,
    token: &JoinToken,
    csr_der: &[u8],
    node: Option<&NodeAddresses>,
) -> Result<Joined, Error> {
    let config = Arc::new(tls::join_client_config(token.ca_spki_sha256)?);
    let message = v1::JoinRequest {
        token: token.encode()?.as_str().to_owned(),
        csr_der: Bytes::copy_from_slice(csr_der),
        peer_address: node.map(|it| it.peer.clone()).unwrap_or_default(),
        api_address: node.map(|it| it.api.clone()).unwrap_or_default(),
        join_address: node.map(|it| it.join.clone()).unwrap_or_default(),
    };
    let node = anonymous::open(address, config)?;
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE_DEFAULT);
    let mut client = JoinServiceClient::new(node.channel());
    match timeout(DEADLINE_DEFAULT, client.join(request)).await {
        Ok(Ok(answer)) => read(answer.into_inner()),
        Ok(Err(status)) => Err(node.explain(&status)),
        Err(_) => {
            let message = format!("{address} did not answer; is it a node's join address?");
            Err(Error::new(Reason::Deadline, message))
        }
    }
}

fn read(answer: v1::JoinResponse) -> Result<Joined, Error> {
    if answer.certificate_der.is_empty() || answer.ca_der.is_empty() {
        return Err(malformed_answer("certificate"));
    }
    let der = |bytes: Bytes| CertificateDer::from(Vec::from(bytes));
    Ok(Joined {
        certificate: der(answer.certificate_der),
        ca: answer.ca_der.into_iter().map(der).collect(),
        cluster_id: id_from_wire("cluster id", &answer.cluster_id)?,
        trust_domain: answer.trust_domain,
        node_id: (answer.node_id != 0).then_some(NodeId(answer.node_id)),
        members: answer.endpoints.into_iter().map(member).collect(),
    })
}

fn member(endpoint: v1::Endpoint) -> Member {
    Member {
        node_id: NodeId(endpoint.node_id),
        addresses: NodeAddresses {
            api: endpoint.api_address,
            peer: endpoint.peer_address,
            join: endpoint.join_address,
        },
        public_key_der: endpoint.public_key_der.into(),
    }
}
