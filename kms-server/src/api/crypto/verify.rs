//! Verify: whether a key made a signature, by any of its versions that may still be used.

use bytes::Bytes;
use ward_proto::v1::{VerifyRequest, VerifyResponse};

use super::held::Held;
use super::use_key::{self, Permitted};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::audit::AuditRecord;
use crate::policy::{Action, Facts};
use crate::state::KeyUsage;

/// Serves Verify.
pub(crate) async fn verify(
    call: &Call,
    request: VerifyRequest,
) -> Result<Held<VerifyResponse>, Failure> {
    use_key::check_named(request.key_version)?;
    let mut record = call.record(Action::Verify.name(), "");
    let verified = check(call, &request, &mut record).await;
    let (used, _durable) = call.settle(record, verified).await?;
    let answer = VerifyResponse {
        key_id: Bytes::copy_from_slice(used.key.key_id.as_bytes()),
        key_version: used.key.version.0,
        applied: convert::applied(call.node.replica.applied_index()),
    };
    Ok(Held::new(answer, [used]))
}

async fn check(
    call: &Call,
    request: &VerifyRequest,
    record: &mut AuditRecord,
) -> Result<Permitted, Failure> {
    let barrier = call.barrier().await?;
    let asked = (request.key.as_ref(), request.key_version);
    let action = Action::Verify;
    let used = use_key::by_version(call, &barrier, action, asked, Facts::None, record)?;
    let usable = used.key.usable(KeyUsage::SignVerify)?;
    let vault = &call.node.vault;
    vault.verify(
        &used.authorized,
        &usable,
        &request.message,
        &request.signature,
    )?;
    Ok(used)
}
