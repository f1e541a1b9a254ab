//! Decrypt: opens what Encrypt made.

use bytes::Bytes;
use envelope::context::EncryptionContext;
use envelope::secret::SecretBytes;
use ward_proto::v1::{DecryptRequest, DecryptResponse};

use super::held::Held;
use super::use_key::{self, Permitted};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::audit::AuditRecord;
use crate::policy::Action;
use crate::state::KeyUsage;
use crate::vault::Withheld;

/// Serves Decrypt.
pub(crate) async fn decrypt(
    call: &Call,
    request: DecryptRequest,
) -> Result<Held<DecryptResponse>, Failure> {
    let context = convert::context(request.context)?;
    let mut record = use_key::record(call, Action::Decrypt, &context);
    let opened = open(call, &request.blob, &context, &mut record).await;
    let ((plaintext, used), durable) = call.settle(record, opened).await?;
    let answer = DecryptResponse {
        plaintext: Bytes::copy_from_slice(plaintext.release(&durable).expose()),
        key_id: Bytes::copy_from_slice(used.key.key_id.as_bytes()),
        key_version: used.key.version.0,
        applied: convert::applied(call.node.replica.applied_index()),
    };
    Ok(Held::new(answer, [used]))
}

async fn open(
    call: &Call,
    blob: &[u8],
    context: &EncryptionContext,
    record: &mut AuditRecord,
) -> Result<(Withheld<SecretBytes>, Permitted), Failure> {
    let barrier = call.barrier().await?;
    let used = use_key::by_blob(
        call,
        &barrier,
        Action::Decrypt,
        blob,
        use_key::once(context),
        record,
    )?;
    let usable = used.key.usable(KeyUsage::EncryptDecrypt)?;
    let plaintext = call
        .node
        .vault
        .decrypt(&used.authorized, &usable, context, blob)?;
    Ok((plaintext, used))
}
