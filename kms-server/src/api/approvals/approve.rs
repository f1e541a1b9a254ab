//! ApproveRequest and RejectRequest.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use envelope::approval::Statement;
use envelope::signature::{self, Algorithm};
use kms_client::reason::Reason;
use ring::digest::{SHA256, digest};
use ward_proto::admin::v1::{
    ApproveRequestRequest, ApproveRequestResponse, RejectRequestRequest, RejectRequestResponse,
};

use super::read::{alive, id, resource, told};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::write::{Intent, OnConflict, propose};
use crate::command::{ApproveRequest, Command, Refusal, RejectRequest};
use crate::policy::{Action, Facts, Resource};
use crate::state::ApprovalId;

/// Serves ApproveRequest. The audit record holds all that was signed, and the signature.
pub(crate) async fn approve(
    call: &Call,
    request: ApproveRequestRequest,
) -> Result<ApproveRequestResponse, Failure> {
    let action = Action::ApproveRequest;
    let approval_id = id(&request.approval_id)?;
    let request_sha256 = <[u8; 32]>::try_from(&*request.request_sha256)
        .map_err(|_| Failure::invalid("the SHA-256 of a request has 32 bytes"))?;
    if request.signature.len() > SIGNATURE_BYTES_MAX {
        return Err(not_signed());
    }
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let mut record = call.record(action.name(), &resource(&approval_id));
    record.order = Some(evidence(&request));
    let command = ApproveRequest {
        approval_id,
        request_sha256,
        target_revision: request.target_revision,
        expires_ms: request.expires_ms,
        spki_sha256: call.caller.spki_sha256,
    };
    let made = propose(call, &intent, OnConflict::Refuse, &mut record, |_barrier| {
        let authorized = call.authorize(action, Resource::Cluster, Facts::None)?;
        verify(call, &command, &request)?;
        Ok((authorized, Command::ApproveRequest(command.clone())))
    })
    .await;
    let (made, _durable) = call.settle(record, made).await?;
    let approved = call
        .node
        .replica
        .read(|index| index.approval(&approval_id).map(told));
    Ok(ApproveRequestResponse {
        approval: approved,
        applied: convert::applied(made.index),
    })
}

/// Serves RejectRequest.
pub(crate) async fn reject(
    call: &Call,
    request: RejectRequestRequest,
) -> Result<RejectRequestResponse, Failure> {
    let action = Action::RejectRequest;
    let approval_id = id(&request.approval_id)?;
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let mut record = call.record(action.name(), &resource(&approval_id));
    let made = propose(call, &intent, OnConflict::Retry, &mut record, |_barrier| {
        let authorized = call.authorize(action, Resource::Cluster, Facts::None)?;
        let command = RejectRequest { approval_id };
        Ok((authorized, Command::RejectRequest(command)))
    })
    .await;
    let (made, _durable) = call.settle(record, made).await?;
    Ok(RejectRequestResponse {
        applied: convert::applied(made.index),
    })
}

/// Verifies that the caller's own key signed what waits here, as it is.
fn verify(
    call: &Call,
    command: &ApproveRequest,
    request: &ApproveRequestRequest,
) -> Result<(), Failure> {
    let waiting = alive(call, &command.approval_id)?;
    if digest(&SHA256, &request.public_key).as_ref() != call.caller.spki_sha256 {
        return Err(Failure::invalid(
            "the public key is not that of the caller's certificate; sign with your own",
        ));
    }
    let signed = (
        command.request_sha256,
        command.target_revision,
        command.expires_ms,
    );
    if signed
        != (
            waiting.request_sha256,
            waiting.target_revision,
            waiting.expires_ms,
        )
    {
        return Err(Refusal::Conflict.into());
    }
    let statement = Statement {
        cluster_id: &call.node.cluster_id,
        approval_id: &command.approval_id,
        proposer: &waiting.proposer,
        request_sha256: &waiting.request_sha256,
        target_revision: waiting.target_revision,
        expires_ms: waiting.expires_ms,
    };
    let (key, signature) = (&request.public_key, &request.signature);
    signature::verify(Algorithm::EcdsaP256, key, &statement.encode(), signature)
        .map_err(|_| not_signed())
}

/// What an auditor verifies the approval by, beside the approver's certificate. Never longer than a
/// field of a record may be.
fn evidence(request: &ApproveRequestRequest) -> String {
    format!(
        "request={} revision={} expires={} signature={}",
        hex::encode(&request.request_sha256),
        request.target_revision,
        request.expires_ms,
        STANDARD.encode(&request.signature),
    )
}

fn not_signed() -> Failure {
    let message = "the signature is not one of this request by the caller's key";
    Failure::new(Reason::VerifyFailed, message)
}

/// How an approval is written down where it is used.
pub(crate) fn note(approval_id: &ApprovalId, approver: &str) -> String {
    format!("{} by operator/{approver}", resource(approval_id))
}

/// An ECDSA signature over P-256 has at most 72, in DER.
const SIGNATURE_BYTES_MAX: usize = 80;
