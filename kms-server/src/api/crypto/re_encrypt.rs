//! ReEncrypt: moves a blob to the primary version of its own or another key.

use bytes::Bytes;
use envelope::context::EncryptionContext;
use ward_proto::v1::{KeyRef, ReEncryptRequest, ReEncryptResponse, key_ref};

use super::use_key::{self, Permitted};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::audit::AuditRecord;
use crate::policy::Action;
use crate::vault::{Destination, Source};

/// Serves ReEncrypt. The record names the destination; the source is in the blob that the caller
/// already has.
pub(crate) async fn re_encrypt(
    call: &Call,
    request: ReEncryptRequest,
) -> Result<ReEncryptResponse, Failure> {
    let contexts = (
        convert::context(request.source_context)?,
        convert::context(request.context)?,
    );
    let mut record = use_key::record(call, Action::ReEncryptTo, &contexts.1);
    let moved = move_blob(call, &request.blob, request.key, &contexts, &mut record).await;
    let ((blob, from, to), _durable) = call.settle(record, moved).await?;
    from.recheck(call)?;
    to.recheck(call)?;
    Ok(ReEncryptResponse {
        blob: blob.into(),
        key_id: Bytes::copy_from_slice(to.key.key_id.as_bytes()),
        key_version: to.key.version.0,
        applied: convert::applied(call.node.replica.applied_index()),
    })
}

async fn move_blob(
    call: &Call,
    blob: &[u8],
    destination: Option<KeyRef>,
    (source_context, context): &(EncryptionContext, EncryptionContext),
    record: &mut AuditRecord,
) -> Result<(Vec<u8>, Permitted, Permitted), Failure> {
    let barrier = call.barrier().await?;
    let facts = use_key::once(source_context);
    let from = use_key::by_blob(call, &barrier, Action::ReEncryptFrom, blob, facts)?;
    record.resource.clone_from(&from.key.name);
    let destination = destination.unwrap_or_else(|| own_key(&from));
    let facts = use_key::once(context);
    let to = use_key::by_ref(
        call,
        &barrier,
        Action::ReEncryptTo,
        Some(&destination),
        facts,
    )?;
    to.describe(record);
    let source = Source {
        authorized: &from.authorized,
        key: from.key.usable()?,
        context: source_context,
        blob,
    };
    let target = Destination {
        authorized: &to.authorized,
        key: to.key.usable()?,
        context,
    };
    let moved = call.node.vault.re_encrypt(&source, &target)?;
    Ok((moved, from, to))
}

fn own_key(from: &Permitted) -> KeyRef {
    let id = Bytes::copy_from_slice(from.key.key_id.as_bytes());
    KeyRef {
        by: Some(key_ref::By::KeyId(id)),
    }
}
