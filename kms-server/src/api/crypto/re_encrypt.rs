//! ReEncrypt: moves a blob to the primary version of its own or another key.

use bytes::Bytes;
use envelope::context::EncryptionContext;
use ward_proto::v1::{KeyRef, ReEncryptRequest, ReEncryptResponse, key_ref};

use super::held::Held;
use super::use_key::{self, Permitted};
use crate::api::call::{Call, write_record};
use crate::api::convert;
use crate::api::failure::Failure;
use crate::audit::AuditRecord;
use crate::policy::Action;
use crate::state::KeyUsage;
use crate::vault::{Destination, Source};

/// The records of a move: what was opened, and what was sealed.
struct Records {
    from: AuditRecord,
    to: AuditRecord,
}

/// Serves ReEncrypt. It leaves a record for each key: they are two uses with two permissions.
pub(crate) async fn re_encrypt(
    call: &Call,
    request: ReEncryptRequest,
) -> Result<Held<ReEncryptResponse>, Failure> {
    let contexts = (
        convert::context(request.source_context)?,
        convert::context(request.context)?,
    );
    let mut records = Records {
        from: use_key::record(call, Action::ReEncryptFrom, &contexts.0),
        to: use_key::record(call, Action::ReEncryptTo, &contexts.1),
    };
    let moved = move_blob(call, &request.blob, request.key, &contexts, &mut records).await;
    let Records { from, to } = records;
    // A move whose source was refused never came to its destination.
    let reached = !to.resource.is_empty() || to.key_id.is_some();
    let ((blob, from, to), _durable) = if reached {
        let noted = write_record(&call.node, from, moved.as_ref().err()).await;
        let settled = call.settle(to, moved).await?;
        noted?;
        settled
    } else {
        call.settle(from, moved).await?
    };
    let answer = ReEncryptResponse {
        blob: blob.into(),
        key_id: Bytes::copy_from_slice(to.key.key_id.as_bytes()),
        key_version: to.key.version.0,
        applied: convert::applied(call.node.replica.applied_index()),
    };
    Ok(Held::new(answer, [from, to]))
}

async fn move_blob(
    call: &Call,
    blob: &[u8],
    destination: Option<KeyRef>,
    (source_context, context): &(EncryptionContext, EncryptionContext),
    records: &mut Records,
) -> Result<(Vec<u8>, Permitted, Permitted), Failure> {
    let barrier = call.barrier().await?;
    let facts = use_key::once(source_context);
    let action = Action::ReEncryptFrom;
    let from = use_key::by_blob(call, &barrier, action, blob, facts, &mut records.from)?;
    let destination = destination.unwrap_or_else(|| own_key(&from));
    let to = use_key::by_ref(
        call,
        &barrier,
        Action::ReEncryptTo,
        Some(&destination),
        use_key::once(context),
        &mut records.to,
    )?;
    let source = Source {
        authorized: &from.authorized,
        key: from.key.usable(KeyUsage::EncryptDecrypt)?,
        context: source_context,
        blob,
    };
    let target = Destination {
        authorized: &to.authorized,
        key: to.key.sealable(KeyUsage::EncryptDecrypt)?,
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
