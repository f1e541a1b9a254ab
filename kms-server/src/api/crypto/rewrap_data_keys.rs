//! RewrapDataKeys: wrapped data keys move to the primary version of their own key, or what was
//! moved is compared with what it was made of. One record for all: it is one use with one
//! permission.

use envelope::blob::BlobHeader;
use kms_client::reason::Reason;
use ward_proto::v1::{RewrapDataKeysRequest, RewrapDataKeysResponse, RewrapItem, RewrapResult};

use super::held::Held;
use super::use_key::{self, Permitted};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::key_ref::{Asked, FoundKey};
use crate::api::permitted;
use crate::audit::AuditRecord;
use crate::policy::{Action, Facts};
use crate::replica::ReadBarrier;
use crate::state::KeyUsage;
use crate::vault::Wrapped;

/// Serves RewrapDataKeys.
pub(crate) async fn rewrap(
    call: &Call,
    request: RewrapDataKeysRequest,
) -> Result<Held<RewrapDataKeysResponse>, Failure> {
    if !(1..=ITEMS_MAX).contains(&request.items.len()) {
        let message = "1 to 256 data keys are moved at once; send several requests";
        return Err(Failure::invalid(message));
    }
    let mut record = call.record(Action::RewrapDataKeys.name(), "");
    record.count = u32::try_from(request.items.len()).unwrap_or(u32::MAX);
    let moved = move_all(call, &request, &mut record).await;
    let ((results, used), _durable) = call.settle(record, moved).await?;
    let answer = RewrapDataKeysResponse {
        results,
        applied: convert::applied(call.node.replica.applied_index()),
    };
    Ok(Held::new(answer, [used]))
}

async fn move_all(
    call: &Call,
    request: &RewrapDataKeysRequest,
    record: &mut AuditRecord,
) -> Result<(Vec<RewrapResult>, Permitted), Failure> {
    let barrier = call.barrier().await?;
    let (action, key) = (Action::RewrapDataKeys, request.key.as_ref());
    let used = permitted::permitted(call, &barrier, action, key, Facts::None, record)?;
    record.key_version = Some(used.key.version);
    // Whether more may be kept of its device does not matter: this was kept.
    used.key.usable(KeyUsage::EncryptDecrypt)?;
    let moved = request.items.iter().map(|item| {
        move_one(call, &barrier, &used, item).unwrap_or_else(|refused| RewrapResult {
            reason: refused.reason.to_string(),
            message: refused.message,
            ..RewrapResult::default()
        })
    });
    Ok((moved.collect(), used))
}

fn move_one(
    call: &Call,
    barrier: &ReadBarrier,
    used: &Permitted,
    item: &RewrapItem,
) -> Result<RewrapResult, Failure> {
    let context = convert::context(item.context.clone())?;
    let Permitted {
        key: to,
        authorized,
    } = used;
    let from = version_of(call, barrier, to, &item.wrapped)?;
    let from = Wrapped {
        key: from.usable(KeyUsage::EncryptDecrypt)?,
        blob: &item.wrapped,
    };
    let vault = &call.node.vault;
    if item.rewrapped.is_empty() {
        let to_use = to.usable(KeyUsage::EncryptDecrypt)?;
        let wrapped = vault.rewrap(authorized, &from, &to_use, &context)?;
        return Ok(RewrapResult {
            wrapped: wrapped.into(),
            key_version: to.version.0,
            ..RewrapResult::default()
        });
    }
    let moved = version_of(call, barrier, to, &item.rewrapped)?;
    let moved = Wrapped {
        key: moved.usable(KeyUsage::EncryptDecrypt)?,
        blob: &item.rewrapped,
    };
    vault.check_same_data_key(authorized, &from, &moved, &context)?;
    Ok(RewrapResult {
        key_version: moved.key.version.0,
        ..RewrapResult::default()
    })
}

/// The version that a blob names of the very key that was permitted.
fn version_of(
    call: &Call,
    barrier: &ReadBarrier,
    of: &FoundKey,
    blob: &[u8],
) -> Result<FoundKey, Failure> {
    let header = BlobHeader::parse(blob).map_err(|_| use_key::open_failed())?;
    if header.key_id != of.key_id {
        let message = "this data key lies under another key; name that one";
        return Err(Failure::new(Reason::InvalidArgument, message));
    }
    let replica = &call.node.replica;
    let found =
        replica.read(|index| FoundKey::by_blob(index, barrier, header.key_id, header.key_version));
    match found {
        Some(Asked::There(key)) => Ok(key),
        Some(Asked::Missing(_)) | None => Err(use_key::open_failed()),
    }
}

/// As of a batch.
const ITEMS_MAX: usize = 256;
