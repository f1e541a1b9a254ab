//! Encrypt: a small value under a key's primary version.

use bytes::Bytes;
use envelope::context::EncryptionContext;
use ward_proto::v1::{EncryptRequest, EncryptResponse, KeyRef};

use super::held::Held;
use super::use_key::{self, Permitted};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::audit::AuditRecord;
use crate::policy::Action;
use crate::state::KeyUsage;

/// Serves Encrypt.
pub(crate) async fn encrypt(
    call: &Call,
    request: EncryptRequest,
) -> Result<Held<EncryptResponse>, Failure> {
    let context = convert::context(request.context)?;
    let mut record = use_key::record(call, Action::Encrypt, &context);
    let sealed = seal(
        call,
        request.key.as_ref(),
        &request.plaintext,
        &context,
        &mut record,
    )
    .await;
    let ((blob, used), _durable) = call.settle(record, sealed).await?;
    let answer = EncryptResponse {
        blob: blob.into(),
        key_id: Bytes::copy_from_slice(used.key.key_id.as_bytes()),
        key_version: used.key.version.0,
        applied: convert::applied(call.node.replica.applied_index()),
    };
    Ok(Held::new(answer, [used]))
}

async fn seal(
    call: &Call,
    key: Option<&KeyRef>,
    plaintext: &[u8],
    context: &EncryptionContext,
    record: &mut AuditRecord,
) -> Result<(Vec<u8>, Permitted), Failure> {
    let barrier = call.barrier().await?;
    let used = use_key::by_ref(
        call,
        &barrier,
        Action::Encrypt,
        key,
        use_key::once(context),
        record,
    )?;
    let usable = used.key.sealable(KeyUsage::EncryptDecrypt)?;
    let blob = call
        .node
        .vault
        .encrypt(&used.authorized, &usable, context, plaintext)?;
    Ok((blob, used))
}
