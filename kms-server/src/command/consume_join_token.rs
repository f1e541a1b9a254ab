//! Turns a join token into an identity, bound to one public key.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::create_join_token::token_id;
use super::revoke_gateway::now_former;
use super::{Outcome, Refusal};
use crate::replica::limits::{ADDRESS_BYTES_MAX, PUBLIC_KEY_BYTES_MAX};
use crate::state::{
    Addresses, Consumption, IdentityKey, IdentityRecord, IdentityState, Index, NodeId, NodeRecord,
    Record, RecordId, Role, SpkiHash, TokenRecord,
};

/// A joiner with the hash of its token's secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumeJoinToken {
    /// SHA-256 of the secret.
    pub secret_sha256: [u8; 32],
    /// What the joiner takes the token to be for. Nothing in a token's text proves it: the record
    /// does.
    pub role: Role,
    /// The joiner's public key; only it may repeat the join.
    pub spki_sha256: SpkiHash,
    /// When the certificate about to be issued ends.
    pub not_after_ms: u64,
    /// Present when the joiner says it is a node.
    pub node: Option<NodeJoin>,
}

/// What a joining node says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeJoin {
    /// Where it is reached.
    pub addresses: Addresses,
    /// SubjectPublicKeyInfo, DER.
    #[serde(with = "serde_bytes")]
    pub public_key: Vec<u8>,
}

/// Who holds a token and what it takes it to be for.
pub(crate) struct Holder<'a> {
    /// SHA-256 of the secret.
    pub(crate) secret_sha256: &'a [u8; 32],
    /// What it wants to become.
    pub(crate) role: Role,
    /// Its public key.
    pub(crate) spki_sha256: &'a SpkiHash,
}

impl Holder<'_> {
    /// The token, if this holder may use it at this time of the state's clock. Apply decides by
    /// it; the leader looks first, so that strangers write nothing to the log.
    ///
    /// # Errors
    /// One refusal, whatever is wrong with the token.
    pub(crate) fn usable_token<'a>(
        &self,
        index: &'a Index,
        now_ms: u64,
    ) -> Result<&'a TokenRecord, Refusal> {
        let token = index.token(&token_id(self.secret_sha256));
        let token = token.ok_or(Refusal::TokenInvalid)?;
        let ours = token
            .consumed
            .as_ref()
            .is_none_or(|by| by.spki_sha256 == *self.spki_sha256);
        let usable = token.secret_sha256 == *self.secret_sha256
            && token.expires_ms > now_ms
            && token.role == self.role
            && ours;
        usable.then_some(token).ok_or(Refusal::TokenInvalid)
    }
}

impl ConsumeJoinToken {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let holder = Holder {
            secret_sha256: &self.secret_sha256,
            role: self.role,
            spki_sha256: &self.spki_sha256,
        };
        let token = holder.usable_token(frame.index, frame.now_ms)?;
        if (token.role == Role::Node) != self.node.is_some() {
            return Err(Refusal::TokenInvalid);
        }
        if let Some(former) = &token.consumed {
            return joined(token.role, former.id.clone());
        }
        let mut token = token.clone();
        let id = match &self.node {
            Some(node) => Self::admit_node(frame, node, token.replaces)?,
            None => token.id.clone(),
        };
        self.put_identity(frame, token.role, &id)?;
        if let Some(makers) = frame.index.token_makers(&token_id(&self.secret_sha256)) {
            // Who joins again is whoever was invited now.
            let inviters = Record::Inviters(makers.clone());
            frame
                .writes
                .put(RecordId::Inviters(token.role, id.clone()), inviters);
        }
        token.consumed = Some(Consumption {
            spki_sha256: self.spki_sha256,
            id: id.clone(),
        });
        let role = token.role;
        frame.writes.put(
            RecordId::Token(token_id(&self.secret_sha256)),
            Record::Token(Box::new(token)),
        );
        joined(role, id)
    }

    /// Gives the node an id that was never given and records how it is known.
    fn admit_node(
        frame: &mut Frame<'_>,
        node: &NodeJoin,
        replaces: Option<NodeId>,
    ) -> Result<String, Refusal> {
        let Addresses { api, peer, join } = &node.addresses;
        let too_long = [api, peer, join]
            .iter()
            .any(|a| a.len() > ADDRESS_BYTES_MAX);
        if too_long || node.public_key.len() > PUBLIC_KEY_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        let node_id = NodeId(frame.counters.next_node_id);
        frame.counters.next_node_id += 1;
        frame.writes.put(
            RecordId::Node(node_id),
            Record::Node(Box::new(NodeRecord {
                node_id,
                addresses: node.addresses.clone(),
                public_key: node.public_key.clone(),
                replaces,
            })),
        );
        Ok(node_id.to_string())
    }

    /// Puts the identity with this key alone: who joins again has lost its former keys.
    fn put_identity(&self, frame: &mut Frame<'_>, role: Role, id: &str) -> Result<(), Refusal> {
        if let Some(known) = frame.index.identity(role, id) {
            if known.state == IdentityState::Revoked {
                return Err(Refusal::IdentityRevoked);
            }
            frame.counters.identity_epoch += 1;
            if role == Role::Gateway {
                // Whoever holds the former key may still use up its last lease.
                now_former(frame, id);
            }
        }
        frame.writes.put(
            RecordId::Identity(role, id.to_owned()),
            Record::Identity(IdentityRecord {
                role,
                id: id.to_owned(),
                state: IdentityState::Active,
                keys: vec![IdentityKey {
                    spki_sha256: self.spki_sha256,
                    not_after_ms: self.not_after_ms,
                }],
            }),
        );
        Ok(())
    }
}

fn joined(role: Role, id: String) -> Result<Outcome, Refusal> {
    let node_id = match role {
        Role::Node => id.parse().ok().map(NodeId),
        Role::Gateway | Role::Device | Role::App | Role::Operator => None,
    };
    Ok(Outcome::Joined { role, id, node_id })
}
