//! ListApprovals and DescribeApproval: what waits, as the leader has it.

use bytes::Bytes;
use ward_proto::admin::v1::{
    Approval, DescribeApprovalRequest, DescribeApprovalResponse, ListApprovalsResponse,
};

use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::command::Refusal;
use crate::keyring::Place;
use crate::policy::{Action, Facts, Resource};
use crate::state::{ApprovalId, ApprovalRecord};

/// Serves ListApprovals.
pub(crate) async fn list(call: &Call) -> Result<ListApprovalsResponse, Failure> {
    permit(call, "ListApprovals", "cluster").await?;
    let approvals = call.node.replica.read(|index| {
        let now_ms = index.counters().time_ms;
        index.approvals(now_ms).map(told).collect()
    });
    let applied = convert::applied(call.node.replica.applied_index());
    Ok(ListApprovalsResponse { approvals, applied })
}

/// Serves DescribeApproval.
pub(crate) async fn describe(
    call: &Call,
    request: DescribeApprovalRequest,
) -> Result<DescribeApprovalResponse, Failure> {
    let id = id(&request.approval_id)?;
    permit(call, "DescribeApproval", &resource(&id)).await?;
    let found = alive(call, &id)?;
    let opened = call
        .node
        .vault
        .open_record(&Place::approval(&id), &found.sealed)?;
    Ok(DescribeApprovalResponse {
        approval: Some(told(&found)),
        request: Bytes::copy_from_slice(opened.expose()),
        cluster_id: Bytes::copy_from_slice(call.node.cluster_id.as_bytes()),
        applied: convert::applied(call.node.replica.applied_index()),
    })
}

/// A request that waits or is approved.
///
/// # Errors
/// APPROVAL_NOT_FOUND.
pub(super) fn alive(call: &Call, id: &ApprovalId) -> Result<ApprovalRecord, Failure> {
    let found = call.node.replica.read(|index| {
        let now_ms = index.counters().time_ms;
        let found = index.approval(id).filter(|it| it.expires_ms > now_ms);
        found.cloned()
    });
    found.ok_or_else(|| Refusal::ApprovalNotFound.into())
}

/// As the contract has it.
pub(super) fn told(record: &ApprovalRecord) -> Approval {
    let approver = record.approver.as_ref();
    Approval {
        approval_id: Bytes::copy_from_slice(&record.approval_id),
        proposer: record.proposer.clone(),
        message: record.message.clone(),
        resource: record.resource.clone(),
        request_sha256: Bytes::copy_from_slice(&record.request_sha256),
        target_revision: record.target_revision,
        expires_ms: record.expires_ms,
        approver: approver.map_or_else(String::new, |approver| approver.id.clone()),
    }
}

/// # Errors
/// INVALID_ARGUMENT.
pub(super) fn id(bytes: &[u8]) -> Result<ApprovalId, Failure> {
    ApprovalId::try_from(bytes).map_err(|_| Failure::invalid("the id of an approval has 16 bytes"))
}

/// How audit records name an approval.
pub(super) fn resource(id: &ApprovalId) -> String {
    format!("approval/{}", hex::encode(id))
}

async fn permit(call: &Call, verb: &str, resource: &str) -> Result<(), Failure> {
    let mut record = call.record(verb, resource);
    let permitted = match call.barrier().await {
        Ok(_barrier) => call.permit(
            &mut record,
            Action::ReadApprovals,
            Resource::Cluster,
            Facts::None,
        ),
        Err(failure) => Err(failure),
    };
    let (_authorized, _durable) = call.settle(record, permitted).await?;
    Ok(())
}
