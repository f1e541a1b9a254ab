//! VerifyMac: whether a key made a code, by any of its versions that may still be used.

use bytes::Bytes;
use ward_proto::v1::{VerifyMacRequest, VerifyMacResponse};

use super::held::Held;
use super::use_key::{self, Permitted};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::audit::AuditRecord;
use crate::policy::{Action, Facts};
use crate::state::KeyUsage;

/// Serves VerifyMac.
pub(crate) async fn verify_mac(
    call: &Call,
    request: VerifyMacRequest,
) -> Result<Held<VerifyMacResponse>, Failure> {
    use_key::check_named(request.key_version)?;
    let mut record = call.record(Action::VerifyMac.name(), "");
    let verified = check(call, &request, &mut record).await;
    let (used, _durable) = call.settle(record, verified).await?;
    let answer = VerifyMacResponse {
        key_id: Bytes::copy_from_slice(used.key.key_id.as_bytes()),
        key_version: used.key.version.0,
        applied: convert::applied(call.node.replica.applied_index()),
    };
    Ok(Held::new(answer, [used]))
}

async fn check(
    call: &Call,
    request: &VerifyMacRequest,
    record: &mut AuditRecord,
) -> Result<Permitted, Failure> {
    let barrier = call.barrier().await?;
    let asked = (request.key.as_ref(), request.key_version);
    let action = Action::VerifyMac;
    let used = use_key::by_version(call, &barrier, action, asked, Facts::None, record)?;
    let usable = used.key.usable(KeyUsage::Mac)?;
    let vault = &call.node.vault;
    vault.verify_mac(&used.authorized, &usable, &request.message, &request.mac)?;
    Ok(used)
}
