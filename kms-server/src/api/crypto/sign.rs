//! Sign: a message under the primary version of a key that signs, or an older one.

use bytes::Bytes;
use ward_proto::v1::{SignRequest, SignResponse};

use super::held::Held;
use super::use_key::{self, Permitted};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::audit::AuditRecord;
use crate::policy::{Action, Facts};
use crate::state::KeyUsage;
use crate::vault::Withheld;

/// Serves Sign.
pub(crate) async fn sign(call: &Call, request: SignRequest) -> Result<Held<SignResponse>, Failure> {
    let mut record = call.record(Action::Sign.name(), "");
    let made = make(call, &request, &mut record).await;
    let ((signature, used), durable) = call.settle(record, made).await?;
    let answer = SignResponse {
        signature: signature.release(&durable).into(),
        key_type: convert::key_type(used.key.key_type).into(),
        key_id: Bytes::copy_from_slice(used.key.key_id.as_bytes()),
        key_version: used.key.version.0,
        applied: convert::applied(call.node.replica.applied_index()),
    };
    Ok(Held::new(answer, [used]))
}

async fn make(
    call: &Call,
    request: &SignRequest,
    record: &mut AuditRecord,
) -> Result<(Withheld<Vec<u8>>, Permitted), Failure> {
    let barrier = call.barrier().await?;
    let asked = (request.key.as_ref(), request.key_version);
    let action = Action::Sign;
    let used = use_key::by_version(call, &barrier, action, asked, Facts::None, record)?;
    let usable = used.key.sealable(KeyUsage::SignVerify)?;
    let vault = &call.node.vault;
    let made = vault.sign(&used.authorized, &usable, &request.message)?;
    Ok((made, used))
}
