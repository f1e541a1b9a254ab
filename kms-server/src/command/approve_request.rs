//! Approves a request of another operator, or ends one.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{Outcome, Refusal, request_approval};
use crate::state::{ApprovalId, ApprovalRecord, Approver, Index, Record, RecordId, SpkiHash};

/// An approval whose signature the leader has verified. Who approves is the guard's caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApproveRequest {
    /// Which request.
    pub approval_id: ApprovalId,
    /// What was signed.
    pub request_sha256: [u8; 32],
    /// What was signed.
    pub target_revision: u64,
    /// What was signed.
    pub expires_ms: u64,
    /// The key that signed.
    pub spki_sha256: SpkiHash,
}

/// Ends a request, whether or not it was approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectRequest {
    /// Which.
    pub approval_id: ApprovalId,
}

impl ApproveRequest {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let operator = frame.operator()?;
        let waiting = alive(frame.index, &self.approval_id, frame.now_ms)?;
        let signed = (self.request_sha256, self.target_revision, self.expires_ms);
        if signed
            != (
                waiting.request_sha256,
                waiting.target_revision,
                waiting.expires_ms,
            )
        {
            return Err(Refusal::Conflict);
        }
        let invited = frame.index.inviters(operator).contains(&waiting.proposer);
        if operator == waiting.proposer || invited {
            return Err(Refusal::ApproverUnfit);
        }
        if waiting.approver.is_none() {
            let mut record = waiting.clone();
            record.approver = Some(Approver {
                id: operator.to_owned(),
                spki_sha256: self.spki_sha256,
            });
            let record = Record::Approval(Box::new(record));
            frame
                .writes
                .put(RecordId::Approval(self.approval_id), record);
        }
        Ok(Outcome::RequestApproved)
    }
}

impl RejectRequest {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let waiting = alive(frame.index, &self.approval_id, frame.now_ms)?;
        request_approval::remove(&mut frame.writes, waiting.expires_ms, self.approval_id);
        Ok(Outcome::RequestRejected)
    }
}

/// A request whose time is not over.
pub(super) fn alive<'a>(
    index: &'a Index,
    id: &ApprovalId,
    now_ms: u64,
) -> Result<&'a ApprovalRecord, Refusal> {
    let found = index.approval(id).filter(|it| it.expires_ms > now_ms);
    found.ok_or(Refusal::ApprovalNotFound)
}
