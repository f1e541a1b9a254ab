//! What waits for a second operator.

use envelope::approval::{APPROVAL_ID_BYTES, Statement, request_sha256};
use envelope::id::ClusterId;
use ward_proto::admin::v1 as admin;

use super::approval_fields::lines;
use super::malformed_answer;
use crate::error::Error;
use crate::reason::Reason;

/// The id of one approval.
pub type ApprovalId = [u8; APPROVAL_ID_BYTES];

/// A request that a policy lets nobody carry out alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Of who asks and for what.
    pub id: ApprovalId,
    /// The operator who asks.
    pub proposer: String,
    /// The name of the request's message in `ward.admin.v1`, such as `PutPolicyRequest`.
    pub message: String,
    /// What it is about, as audit records name it.
    pub resource: String,
    /// Names the request.
    pub request_sha256: [u8; 32],
    /// The revision of what the request changes: it is not carried out on another one.
    pub target_revision: u64,
    /// When it ends, in milliseconds since 1970-01-01 UTC.
    pub expires_ms: u64,
    /// Who approved it; none while it waits.
    pub approver: Option<String>,
}

/// An approval with its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRequest {
    /// It.
    pub approval: Approval,
    /// The message that [`Approval::message`] names, encoded, without its idempotency key.
    pub request: Vec<u8>,
    /// The cluster that would carry it out.
    pub cluster_id: ClusterId,
}

impl ApprovalRequest {
    /// The bytes that an approver signs.
    ///
    /// # Errors
    ///
    /// `VERIFY_FAILED` when the request is not the one that the approval names: a node that shows
    /// one and lets sign another gets no signature.
    pub fn statement(&self) -> Result<Vec<u8>, Error> {
        let approval = &self.approval;
        if request_sha256(&approval.message, &self.request) != approval.request_sha256 {
            let message = "the node shows another request than it asks to approve; approve nothing";
            return Err(Error::new(Reason::VerifyFailed, message));
        }
        let statement = Statement {
            cluster_id: &self.cluster_id,
            approval_id: &approval.id,
            proposer: &approval.proposer,
            request_sha256: &approval.request_sha256,
            target_revision: approval.target_revision,
            expires_ms: approval.expires_ms,
        };
        Ok(statement.encode())
    }

    /// The fields that the request sets, a line each: what an approver reads. Texts of several
    /// lines are indented; what could hide or turn text on a terminal is written as its number.
    ///
    /// # Errors
    ///
    /// `VERSION_NEWER` when this version does not know the whole request: nobody approves half.
    pub fn fields(&self) -> Result<Vec<String>, Error> {
        lines(&self.approval.message, &self.request)
    }
}

impl TryFrom<admin::Approval> for Approval {
    type Error = Error;

    fn try_from(approval: admin::Approval) -> Result<Self, Error> {
        let id = ApprovalId::try_from(&*approval.approval_id);
        let request_sha256 = <[u8; 32]>::try_from(&*approval.request_sha256);
        Ok(Self {
            id: id.map_err(|_| malformed_answer("id of an approval"))?,
            proposer: approval.proposer,
            message: approval.message,
            resource: approval.resource,
            request_sha256: request_sha256.map_err(|_| malformed_answer("hash of a request"))?,
            target_revision: approval.target_revision,
            expires_ms: approval.expires_ms,
            approver: Some(approval.approver).filter(|approver| !approver.is_empty()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_is_not_what_is_named_is_never_signed() {
        let request = b"request".to_vec();
        let mut shown = ApprovalRequest {
            approval: Approval {
                id: [1; 16],
                proposer: "alice".to_owned(),
                message: "PutPolicyRequest".to_owned(),
                resource: "lab".to_owned(),
                request_sha256: request_sha256("PutPolicyRequest", &request),
                target_revision: 3,
                expires_ms: 4,
                approver: None,
            },
            request,
            cluster_id: ClusterId::from_bytes([2; 16]),
        };
        assert!(shown.statement().is_ok());
        shown.request.push(0);
        assert_eq!(
            shown.statement().unwrap_err().reason(),
            Reason::VerifyFailed
        );
        shown.request.pop();
        shown.approval.message = "PutQuotaRequest".to_owned();
        assert!(shown.statement().is_err());
    }
}
