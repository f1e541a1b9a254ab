//! Join: exchanges a join token for an identity. The only verb for strangers; the token is the
//! proof, and the command that consumes it binds it to the joiner's key.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use envelope::token::JoinToken;
use kms_client::identity::{Role, SpiffeId};
use kms_client::reason::Reason;
use serde::{Deserialize, Serialize};
use ward_proto::v1::{Endpoint, JoinRequest, JoinResponse};

use super::issue::Certificate;
use super::{authority, create_token};
use crate::api::call::{settle, source};
use crate::api::failure::Failure;
use crate::api::forward::{self, Answer, Handed};
use crate::audit::AuditRecord;
use crate::ca::{Authority, CertificateRequest};
use crate::command::{Command, ConsumeJoinToken, Holder, NodeJoin, Outcome, Proposal, Refusal};
use crate::config::HostPort;
use crate::node::context::Node;
use crate::state::{Addresses, NodeId};

/// A join as nodes hand it to the leader.
#[derive(Serialize, Deserialize)]
pub(crate) struct Joiner {
    /// The token's text; secret.
    token: String,
    csr_der: Vec<u8>,
    addresses: Addresses,
    /// Where it called from, for the leader's audit record.
    peer: Option<SocketAddr>,
}

/// Who the joiner became.
#[derive(Serialize, Deserialize)]
pub(crate) struct Became {
    certificate: Certificate,
    node_id: Option<NodeId>,
}

/// Serves Join.
pub(crate) async fn join(
    node: &Arc<Node>,
    request: JoinRequest,
    peer: Option<SocketAddr>,
) -> Result<JoinResponse, Failure> {
    let joiner = Joiner {
        token: request.token,
        csr_der: request.csr_der.to_vec(),
        addresses: Addresses {
            api: request.api_address,
            peer: request.peer_address,
            join: request.join_address,
        },
        peer,
    };
    let became = match forward::to_leader(node, Handed::Join(joiner)).await? {
        (Answer::Joined(became), _) => became,
        (
            Answer::Announced | Answer::Certificate(_) | Answer::Acknowledged | Answer::Reported,
            _,
        ) => {
            return Err(Failure::internal("the leader answered another verb"));
        }
    };
    Ok(JoinResponse {
        certificate_der: became.certificate.der.into(),
        ca_der: became
            .certificate
            .ca_der
            .into_iter()
            .map(Bytes::from)
            .collect(),
        cluster_id: Bytes::copy_from_slice(node.cluster_id.as_bytes()),
        trust_domain: node.identity.load().id().trust_domain().to_owned(),
        node_id: became.node_id.map_or(0, |id| id.0),
        endpoints: endpoints(node),
    })
}

/// Consumes the token and issues the certificate, on the leader.
///
/// # Errors
/// TOKEN_INVALID whatever is wrong with the token; INVALID_ARGUMENT for the rest.
pub(crate) async fn on_leader(node: &Node, joiner: &Joiner) -> Result<(Became, u64), Failure> {
    let now_ms = sys::clock::wall_ms();
    let mut record = AuditRecord::new(now_ms, "anonymous", "Join", "cluster");
    record.peer = source(joiner.peer);
    record.applied_index = node.replica.applied_index();
    let made = admit(node, joiner, now_ms, &mut record).await;
    let (made, _durable) = settle(node, record, made).await?;
    Ok(made)
}

async fn admit(
    node: &Node,
    joiner: &Joiner,
    now_ms: u64,
    record: &mut AuditRecord,
) -> Result<(Became, u64), Failure> {
    let token = JoinToken::decode(&joiner.token).map_err(|_| token_invalid())?;
    let role = Role::from_code(token.role).ok_or_else(token_invalid)?;
    if token.cluster_id != node.cluster_id {
        let message =
            "the join token is for another cluster; ask this one's operator for a new one";
        return Err(Failure::new(Reason::TokenInvalid, message));
    }
    let request = CertificateRequest::verify(&joiner.csr_der)?;
    let secret_sha256 = create_token::secret_hash(&token.secret);
    let spki_sha256 = request.spki_sha256();
    let holder = Holder {
        secret_sha256: &secret_sha256,
        role: role.into(),
        spki_sha256: &spki_sha256,
    };
    // A guess costs a look at the state and no entry of the log.
    node.replica.read_barrier().await?;
    let replaces = node.replica.read(|index| {
        let now_ms = now_ms.max(index.counters().time_ms);
        let token = holder.usable_token(index, now_ms)?;
        // A repeated join has been decided.
        Ok::<_, Refusal>(token.replaces.filter(|_| token.consumed.is_none()))
    })?;
    if replaces.is_some_and(|former| node.replica.hears(former)) {
        let message = "the member that this token replaces still answers; stop it first, or join \
                       with a token that replaces none";
        return Err(Failure::new(Reason::Conflict, message));
    }
    let command = ConsumeJoinToken {
        secret_sha256,
        role: role.into(),
        spki_sha256,
        not_after_ms: Authority::not_after_ms(role, now_ms),
        node: (role == Role::Node)
            .then(|| node_join(joiner, &request))
            .transpose()?,
    };
    let proposal = Proposal::internal(now_ms, Command::ConsumeJoinToken(command));
    let applied = node.replica.propose(proposal).await?;
    let Outcome::Joined { role, id, node_id } = applied.outcome else {
        return Err(Failure::internal("a join answered as another verb"));
    };
    // What the state says is certified, never what the joiner or its token's text say.
    let domain = node.identity.load().id().trust_domain().to_owned();
    let id = SpiffeId::new(&domain, role.into(), &id)
        .map_err(|_| Failure::internal("a token held an id that is none"))?;
    record.resource = id.to_string();
    let opened = authority::open(node)?;
    let issued = opened.authority.issue(&request, &id, now_ms)?;
    let certificate = Certificate {
        der: issued.der.to_vec(),
        ca_der: opened.certificates_der,
        not_after_ms: issued.not_after_ms,
    };
    Ok((
        Became {
            certificate,
            node_id,
        },
        applied.index,
    ))
}

fn node_join(joiner: &Joiner, request: &CertificateRequest) -> Result<NodeJoin, Failure> {
    let Addresses { api, peer, join } = &joiner.addresses;
    for address in [api, peer, join] {
        address.parse::<HostPort>().map_err(|_| {
            Failure::invalid("a joining node tells its api, peer and join address, host:port each")
        })?;
    }
    Ok(NodeJoin {
        addresses: joiner.addresses.clone(),
        public_key: request.public_key_der().to_vec(),
    })
}

/// Where the members are, as this node knows them.
fn endpoints(node: &Node) -> Vec<Endpoint> {
    let members = node.replica.status().members;
    let endpoint = |status: crate::replica::MemberStatus| Endpoint {
        node_id: status.node_id.0,
        api_address: status.member.addresses.api,
        peer_address: status.member.addresses.peer,
        join_address: status.member.addresses.join,
        public_key_der: status.member.public_key.into(),
    };
    members.into_iter().map(endpoint).collect()
}

fn token_invalid() -> Failure {
    let message = "the join token is unknown, expired or used; ask an operator for a new one";
    Failure::new(Reason::TokenInvalid, message)
}
