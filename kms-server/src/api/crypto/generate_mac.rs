//! GenerateMac: a code over a message, under the primary version of an HMAC key or an older one.

use bytes::Bytes;
use ward_proto::v1::{GenerateMacRequest, GenerateMacResponse};

use super::held::Held;
use super::use_key::{self, Permitted};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::audit::AuditRecord;
use crate::policy::{Action, Facts};
use crate::state::KeyUsage;
use crate::vault::Withheld;

/// Serves GenerateMac.
pub(crate) async fn generate_mac(
    call: &Call,
    request: GenerateMacRequest,
) -> Result<Held<GenerateMacResponse>, Failure> {
    let mut record = call.record(Action::GenerateMac.name(), "");
    let made = make(call, &request, &mut record).await;
    let ((mac, used), durable) = call.settle(record, made).await?;
    let answer = GenerateMacResponse {
        mac: mac.release(&durable).into(),
        key_id: Bytes::copy_from_slice(used.key.key_id.as_bytes()),
        key_version: used.key.version.0,
        applied: convert::applied(call.node.replica.applied_index()),
    };
    Ok(Held::new(answer, [used]))
}

async fn make(
    call: &Call,
    request: &GenerateMacRequest,
    record: &mut AuditRecord,
) -> Result<(Withheld<Vec<u8>>, Permitted), Failure> {
    let barrier = call.barrier().await?;
    let asked = (request.key.as_ref(), request.key_version);
    let action = Action::GenerateMac;
    let used = use_key::by_version(call, &barrier, action, asked, Facts::None, record)?;
    let usable = used.key.sealable(KeyUsage::Mac)?;
    let vault = &call.node.vault;
    let made = vault.generate_mac(&used.authorized, &usable, &request.message)?;
    Ok((made, used))
}
