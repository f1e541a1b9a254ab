//! Requests that wait for a second operator, and who invited whom: an approver is nobody whom the
//! one who asks brought in.

use std::ops::Bound::{Included, Unbounded};

use envelope::approval::APPROVAL_ID_BYTES;
use serde::{Deserialize, Serialize};

use super::{Index, Record, RecordId, Role, Sealed, SpkiHash};

/// The id of one approval.
pub type ApprovalId = [u8; APPROVAL_ID_BYTES];

/// How long a request waits, and an approval holds.
pub const APPROVAL_LIFE_MS: u64 = 24 * 60 * 60 * 1_000;

/// Operators, by their ids.
pub type Operators = Vec<String>;

/// A request that waits, or was approved and is not carried out yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalRecord {
    /// Of proposer and request: asking again makes no second one.
    pub approval_id: ApprovalId,
    /// The operator who asks.
    pub proposer: String,
    /// The name of the request's message.
    pub message: String,
    /// What it is about, as audit records name it.
    pub resource: String,
    /// Names the request.
    pub request_sha256: [u8; 32],
    /// The request itself: a sealed record of purpose approval.
    pub sealed: Sealed,
    /// The revision of what it changes.
    pub target_revision: u64,
    /// By the state's clock.
    pub expires_ms: u64,
    /// Who approved it.
    pub approver: Option<Approver>,
}

/// Who approved a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approver {
    /// The operator.
    pub id: String,
    /// The public key whose signature the leader verified; it must still be honoured when the
    /// request is carried out.
    pub spki_sha256: SpkiHash,
}

impl Index {
    /// A request that waits or is approved.
    pub fn approval(&self, id: &ApprovalId) -> Option<&ApprovalRecord> {
        let Record::Approval(found) = self.get(&RecordId::Approval(*id))? else {
            return None;
        };
        Some(found)
    }

    /// All of them whose time is not over at `now_ms`, by when it is.
    pub fn approvals(&self, now_ms: u64) -> impl Iterator<Item = &ApprovalRecord> {
        let alive = now_ms.saturating_add(1);
        self.approval_expiries(alive)
            .filter_map(|(_, id)| self.approval(&id))
    }

    /// Those whose time is over at `now_ms`, the longest over first.
    pub(crate) fn expired_approvals(&self, now_ms: u64) -> impl Iterator<Item = (u64, ApprovalId)> {
        self.approval_expiries(0)
            .take_while(move |(at, _)| *at <= now_ms)
    }

    fn approval_expiries(&self, from_ms: u64) -> impl Iterator<Item = (u64, ApprovalId)> {
        let from = RecordId::ApprovalExpiry(from_ms, [0; APPROVAL_ID_BYTES]);
        self.range((Included(from), Unbounded))
            .map_while(|(id, _)| {
                let RecordId::ApprovalExpiry(at, id) = id else {
                    return None;
                };
                Some((*at, *id))
            })
    }

    /// Whether whoever approved a request is still honoured with the key that signed.
    pub(crate) fn is_honoured(&self, approver: &Approver) -> bool {
        let identity = self.identity(Role::Operator, &approver.id);
        identity.is_some_and(|identity| identity.honours(&approver.spki_sha256))
    }

    /// Who made a join token for an operator, and who approved that.
    pub(crate) fn token_makers(&self, token_id: &[u8; 16]) -> Option<&Operators> {
        let Record::TokenMakers(found) = self.get(&RecordId::TokenMakers(*token_id))? else {
            return None;
        };
        Some(found)
    }

    /// Who invited an operator when it last joined; nobody who is known, for one that began the
    /// cluster or joined before this was kept.
    pub fn inviters(&self, operator: &str) -> &[String] {
        let id = RecordId::Inviters(Role::Operator, operator.to_owned());
        match self.get(&id) {
            Some(Record::Inviters(found)) => found,
            Some(_) | None => &[],
        }
    }
}
