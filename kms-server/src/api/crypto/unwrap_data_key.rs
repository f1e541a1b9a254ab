//! UnwrapDataKey: opens a wrapped data key.

use bytes::Bytes;
use envelope::context::EncryptionContext;
use ward_proto::v1::{UnwrapDataKeyRequest, UnwrapDataKeyResponse};

use super::held::Held;
use super::use_key::{self, Permitted};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::audit::AuditRecord;
use crate::policy::Action;
use crate::state::KeyUsage;
use crate::vault::{UnwrappedDataKey, Withheld};

/// Serves UnwrapDataKey.
pub(crate) async fn unwrap_data_key(
    call: &Call,
    request: UnwrapDataKeyRequest,
) -> Result<Held<UnwrapDataKeyResponse>, Failure> {
    let context = convert::context(request.context)?;
    let mut record = use_key::record(call, Action::UnwrapDataKey, &context);
    let opened = open(call, &request.wrapped, &context, &mut record).await;
    let ((data_key, used), durable) = call.settle(record, opened).await?;
    let data_key = data_key.release(&durable);
    let answer = UnwrapDataKeyResponse {
        plaintext: Bytes::copy_from_slice(data_key.plaintext.expose()),
        data_key_id: Bytes::copy_from_slice(data_key.id.as_bytes()),
        key_id: Bytes::copy_from_slice(used.key.key_id.as_bytes()),
        key_version: used.key.version.0,
        limits: convert::cache_limits(),
        applied: convert::applied(call.node.replica.applied_index()),
    };
    Ok(Held::new(answer, [used]))
}

async fn open(
    call: &Call,
    wrapped: &[u8],
    context: &EncryptionContext,
    record: &mut AuditRecord,
) -> Result<(Withheld<UnwrappedDataKey>, Permitted), Failure> {
    let barrier = call.barrier().await?;
    let action = Action::UnwrapDataKey;
    let used = use_key::by_blob(
        call,
        &barrier,
        action,
        wrapped,
        use_key::once(context),
        record,
    )?;
    let usable = used.key.usable(KeyUsage::EncryptDecrypt)?;
    let opened = call
        .node
        .vault
        .unwrap_data_key(&used.authorized, &usable, context, wrapped)?;
    Ok((opened, used))
}
