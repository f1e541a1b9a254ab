//! Keeps the hash of a join token.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::names::is_id;
use super::{Outcome, Refusal};
use crate::state::{IdentityState, NodeId, Record, RecordId, Role, TokenRecord};

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateJoinToken {
    /// SHA-256 of the secret.
    pub secret_sha256: [u8; 32],
    /// What the joiner becomes.
    pub role: Role,
    /// Which one; empty for a node.
    pub id: String,
    /// For a node: the member in whose place it joins.
    pub replaces: Option<NodeId>,
    /// When it ends, milliseconds since 1970-01-01 UTC.
    pub expires_ms: u64,
}

impl CreateJoinToken {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let id_allowed = match self.role {
            Role::Node => self.id.is_empty(),
            Role::Gateway | Role::App | Role::Operator => is_id(&self.id),
            // A device's key pair is made by its edge gateway, which asks over its own identity.
            Role::Device => false,
        };
        if !id_allowed {
            return Err(Refusal::NameInvalid);
        }
        if let Some(former) = self.replaces
            && (self.role != Role::Node || frame.index.node(former).is_none())
        {
            return Err(Refusal::NodeNotFound);
        }
        let token_id = token_id(&self.secret_sha256);
        if frame.index.token(&token_id).is_some() {
            return Err(Refusal::IdExists);
        }
        let identity = frame.index.identity(self.role, &self.id);
        if identity.is_some_and(|known| known.state == IdentityState::Revoked) {
            return Err(Refusal::IdentityRevoked);
        }
        self.keep_makers(frame, token_id);
        // Each new token sweeps away some that have ended, so that they never accumulate.
        for ended in frame
            .index
            .expired_tokens(frame.now_ms)
            .take(TOKEN_SWEEP_MAX)
        {
            frame.writes.remove(RecordId::Token(ended));
            frame.writes.remove(RecordId::TokenMakers(ended));
        }
        frame.writes.put(
            RecordId::Token(token_id),
            Record::Token(Box::new(TokenRecord {
                secret_sha256: self.secret_sha256,
                role: self.role,
                id: self.id.clone(),
                replaces: self.replaces,
                expires_ms: self.expires_ms,
                consumed: None,
            })),
        );
        Ok(Outcome::TokenCreated)
    }

    /// Puts down who invites an operator: nobody approves what their inviter asks for.
    fn keep_makers(&self, frame: &mut Frame<'_>, token_id: [u8; 16]) {
        let known = frame.index.format_version() >= MAKERS_SINCE;
        let maker = frame.caller.map(|caller| caller.id.clone());
        if known && self.role == Role::Operator {
            let makers = maker.into_iter().chain(frame.approver.clone()).collect();
            let id = RecordId::TokenMakers(token_id);
            frame.writes.put(id, Record::TokenMakers(makers));
        }
    }
}

/// The format of the state that brought these records.
const MAKERS_SINCE: u32 = 4;

/// Ended tokens removed by one new one.
const TOKEN_SWEEP_MAX: usize = 8;

/// The first 16 bytes of the hash find the token; all 32 are compared.
pub(super) fn token_id(secret_sha256: &[u8; 32]) -> [u8; 16] {
    let mut id = [0; 16];
    id.copy_from_slice(&secret_sha256[..16]);
    id
}
