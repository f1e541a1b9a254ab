//! Keeps a request that a policy lets nobody carry out alone; and what becomes of one whose time is
//! over.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{Outcome, Refusal, Writes, sealed};
use crate::keyring::Place;
use crate::state::{APPROVAL_LIFE_MS, ApprovalId, ApprovalRecord, Index, Record, RecordId};

/// A request, sealed by the leader. Who asks is the guard's caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestApproval {
    /// Of proposer and request.
    pub approval_id: ApprovalId,
    /// The name of the request's message.
    pub message: String,
    /// What it is about, as audit records name it.
    pub resource: String,
    /// Names the request.
    pub request_sha256: [u8; 32],
    /// The sealed record of the request; of the next revision where one waits already.
    #[serde(with = "serde_bytes")]
    pub sealed: Vec<u8>,
    /// The revision of what it changes.
    pub target_revision: u64,
}

impl RequestApproval {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let proposer = frame.operator()?.to_owned();
        let id = self.approval_id;
        let former = frame.index.approval(&id);
        let alive = former.filter(|former| former.expires_ms > frame.now_ms);
        let same = alive.filter(|former| {
            let approver = former.approver.as_ref();
            former.target_revision == self.target_revision
                && approver.is_none_or(|approver| frame.index.is_honoured(approver))
        });
        if let Some(waiting) = same {
            return Ok(asked(id, waiting.expires_ms));
        }
        if alive.is_none() {
            check_room(frame.index, frame.now_ms, &proposer)?;
        }
        let place = Place::approval(&id);
        let kept = former.map(|former| &former.sealed);
        let expires_ms = frame.now_ms.saturating_add(APPROVAL_LIFE_MS);
        let record = ApprovalRecord {
            approval_id: id,
            proposer,
            message: self.message.clone(),
            resource: self.resource.clone(),
            request_sha256: self.request_sha256,
            sealed: sealed::fit(frame.cluster_id, &place, kept, &self.sealed)?,
            target_revision: self.target_revision,
            expires_ms,
            approver: None,
        };
        if let Some(former) = former {
            remove(&mut frame.writes, former.expires_ms, id);
        }
        let record = Record::Approval(Box::new(record));
        frame.writes.put(RecordId::Approval(id), record);
        let expiry = RecordId::ApprovalExpiry(expires_ms, id);
        frame.writes.put(expiry, Record::ApprovalExpiry);
        Ok(asked(id, expires_ms))
    }
}

fn asked(approval_id: ApprovalId, expires_ms: u64) -> Outcome {
    Outcome::ApprovalRequested {
        approval_id,
        expires_ms,
    }
}

/// One operator cannot keep all others from asking.
fn check_room(index: &Index, now_ms: u64, proposer: &str) -> Result<(), Refusal> {
    let own = index.approvals(now_ms).filter(|it| it.proposer == proposer);
    let full = own.count() >= APPROVALS_OF_ONE_MAX;
    match full || index.approvals(now_ms).count() >= APPROVALS_MAX {
        true => Err(Refusal::ApprovalsFull),
        false => Ok(()),
    }
}

/// Deletes requests whose time is over; every entry does a few.
pub(super) fn sweep(index: &Index, now_ms: u64, writes: &mut Writes) {
    for (at, id) in index.expired_approvals(now_ms).take(SWEEP_MAX) {
        // The same request may have been made anew by this very entry.
        if !writes.touches(&RecordId::Approval(id)) {
            remove(writes, at, id);
        }
    }
}

/// Deletes a request.
pub(super) fn remove(writes: &mut Writes, expires_ms: u64, id: ApprovalId) {
    writes.remove(RecordId::Approval(id));
    writes.remove(RecordId::ApprovalExpiry(expires_ms, id));
}

/// Requests that wait at once: an approver looks at them all.
pub(super) const APPROVALS_MAX: usize = 64;
/// Of them, one operator's.
pub(super) const APPROVALS_OF_ONE_MAX: usize = 16;
const SWEEP_MAX: usize = 2;
