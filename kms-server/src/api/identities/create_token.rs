//! CreateJoinToken: an invitation, of which the cluster keeps only a hash.

use envelope::secret::SecretKey;
use envelope::token::JoinToken;
use kms_client::identity::{Role, SpiffeId, spki_sha256};
use rustls_pki_types::CertificateDer;
use ward_proto::admin::v1::{CreateJoinTokenRequest, CreateJoinTokenResponse};
use zeroize::Zeroizing;

use super::authority;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::write::{Intent, OnConflict, propose};
use crate::command::{Command, CreateJoinToken};
use crate::policy::{Action, Facts, Resource};
use crate::state::NodeId;

/// Serves CreateJoinToken.
///
/// A repetition makes another token: the first one's secret is known to nobody any more, and it
/// ends by itself.
pub(crate) async fn create(
    call: &Call,
    request: CreateJoinTokenRequest,
) -> Result<CreateJoinTokenResponse, Failure> {
    let action = Action::CreateJoinToken;
    let role: Role = request
        .role
        .parse()
        .map_err(|_| Failure::invalid("a token is for role node, gateway, app or operator"))?;
    check_id(call, role, &request.id)?;
    let replaces = (request.replaces != 0).then_some(NodeId(request.replaces));
    if replaces.is_some() && role != Role::Node {
        return Err(Failure::invalid("only a node joins in another one's place"));
    }
    let token = new_token(call, role, &request)?;
    let expires_ms = token.expires_ms;
    let resource = match replaces {
        Some(former) => format!("{role}/ in place of node/{former}"),
        None => format!("{role}/{}", request.id),
    };
    let mut record = call.record(action.name(), &resource);
    let facts = Facts::Invite {
        role: role.as_str(),
    };
    let made = propose(
        call,
        &Intent::repeatable_request(&request),
        OnConflict::Retry,
        &mut record,
        |_barrier| {
            let authorized = call.authorize(action, Resource::Cluster, facts)?;
            if replaces.is_some() {
                // The former member will be removed without anybody asking again.
                drop(call.authorize(Action::RemoveNode, Resource::Cluster, Facts::None)?);
            }
            let command = CreateJoinToken {
                secret_sha256: secret_hash(&token.secret),
                role: role.into(),
                id: request.id.clone(),
                replaces,
                expires_ms,
            };
            Ok((authorized, Command::CreateJoinToken(command)))
        },
    )
    .await;
    let (made, _durable) = call.settle(record, made).await?;
    let text: Zeroizing<String> = token
        .encode()
        .map_err(|_| Failure::internal("a join token cannot be written"))?;
    let applied = convert::applied(made.index);
    Ok(CreateJoinTokenResponse {
        token: text.as_str().to_owned(),
        expires_ms,
        applied,
    })
}

fn check_id(call: &Call, role: Role, id: &str) -> Result<(), Failure> {
    if role == Role::Node {
        return if id.is_empty() {
            Ok(())
        } else {
            Err(Failure::invalid(
                "the cluster gives nodes their ids; leave the id empty",
            ))
        };
    }
    let domain = call.caller.id.trust_domain();
    SpiffeId::new(domain, role, id)
        .map(drop)
        .map_err(|error| Failure::invalid(error.message()))
}

fn new_token(
    call: &Call,
    role: Role,
    request: &CreateJoinTokenRequest,
) -> Result<JoinToken, Failure> {
    let number = role
        .code()
        .ok_or_else(|| Failure::invalid("devices do not join: enrol them"))?;
    let ttl_ms = match request.ttl_ms {
        0 => TTL_DEFAULT_MS,
        asked if asked <= TTL_MAX_MS => asked,
        _ => return Err(Failure::invalid("a join token lives at most 24 hours")),
    };
    let (newest, state_ms) = call.node.replica.read(|index| {
        let cluster = index.cluster();
        let newest = cluster.and_then(|cluster| cluster.ca_certificates.first().cloned());
        (newest, index.counters().time_ms)
    });
    // The state's clock decides when a token ends, and may be ahead of this node's.
    let now_ms = sys::clock::wall_ms().max(state_ms);
    let newest = CertificateDer::from(newest.ok_or_else(authority::not_begun)?);
    let ca_spki_sha256 = spki_sha256(&newest)
        .map_err(|_| Failure::internal("the authority's certificate is malformed"))?;
    Ok(JoinToken {
        cluster_id: call.node.cluster_id,
        role: number,
        id: request.id.clone(),
        secret: SecretKey::generate(),
        ca_spki_sha256,
        expires_ms: now_ms.saturating_add(ttl_ms),
    })
}

/// What the cluster keeps of a token's secret.
pub(super) fn secret_hash(secret: &SecretKey) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, secret.expose()).as_ref());
    hash
}

const TTL_DEFAULT_MS: u64 = 10 * 60 * 1_000;
const TTL_MAX_MS: u64 = 24 * 60 * 60 * 1_000;
