//! What all verbs that use a key share: finding it, and permission.

use envelope::blob::BlobHeader;
use envelope::context::EncryptionContext;
use envelope::id::KeyVersion;
use kms_client::reason::Reason;
use ward_proto::v1::KeyRef;

use super::quota;
use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::api::key_ref::{Asked, FoundKey};
pub(super) use crate::api::permitted::Permitted;
use crate::api::permitted::{self, refuse_unknown};
use crate::audit::{AuditRecord, ContextDigest};
use crate::command::Refusal;
use crate::policy::{Action, Facts};
use crate::replica::ReadBarrier;

/// Finds the key of a reference and asks whether it may be used. `record` names it before that,
/// so that a refusal does too.
///
/// # Errors
/// DENIED comes before KEY_NOT_FOUND: who may not use a name does not learn whether it exists.
pub(super) fn by_ref(
    call: &Call,
    barrier: &ReadBarrier,
    action: Action,
    reference: Option<&KeyRef>,
    facts: Facts<'_>,
    record: &mut AuditRecord,
) -> Result<Permitted, Failure> {
    by_version(call, barrier, action, (reference, 0), facts, record)
}

/// As [`by_ref`], one version of the key; 0 means the primary.
///
/// # Errors
/// As [`by_ref`]; KEY_NOT_FOUND also when there is no such version, to who may use the key.
pub(super) fn by_version(
    call: &Call,
    barrier: &ReadBarrier,
    action: Action,
    (reference, version): (Option<&KeyRef>, u32),
    facts: Facts<'_>,
    record: &mut AuditRecord,
) -> Result<Permitted, Failure> {
    permitted::asked_for(record, reference);
    record.key_version = (version != 0).then_some(KeyVersion(version));
    let found = call
        .node
        .replica
        .read(|index| FoundKey::by_version(index, barrier, reference, version));
    match found {
        Ok(asked) => {
            let missing = || Refusal::VersionNotFound.into();
            permit(call, action, asked, facts, record, missing)
        }
        Err(unknown) => Err(refuse_unknown(call, action, reference, facts, unknown)),
    }
}

/// Finds the key and version that a blob names and asks whether they may be used. `record` names
/// them before that, so that a refusal does too.
///
/// # Errors
/// OPEN_FAILED when there are none: a blob that names nothing is a blob that does not open.
pub(super) fn by_blob(
    call: &Call,
    barrier: &ReadBarrier,
    action: Action,
    blob: &[u8],
    facts: Facts<'_>,
    record: &mut AuditRecord,
) -> Result<Permitted, Failure> {
    let header = BlobHeader::parse(blob).map_err(|_| open_failed())?;
    let (key_id, version) = (header.key_id, header.key_version);
    (record.key_id, record.key_version) = (Some(key_id), Some(version));
    let found = call
        .node
        .replica
        .read(|index| FoundKey::by_blob(index, barrier, key_id, version));
    let asked = found.ok_or_else(open_failed)?;
    permit(call, action, asked, facts, record, open_failed)
}

/// The key is permitted first: which versions it has is told to nobody else.
fn permit(
    call: &Call,
    action: Action,
    asked: Asked,
    facts: Facts<'_>,
    record: &mut AuditRecord,
    missing: fn() -> Failure,
) -> Result<Permitted, Failure> {
    let (key, missing) = match asked {
        Asked::There(key) => {
            record.key_version = Some(key.version);
            (key, None)
        }
        Asked::Missing(key) => (key, Some(missing)),
    };
    let permitted = permitted::permit(call, action, key, facts, record)?;
    quota::charge(call, action, facts)?;
    match missing {
        None => Ok(permitted),
        Some(refusal) => Err(refusal()),
    }
}

/// Begins the record of a use under `context`.
pub(super) fn record(call: &Call, action: Action, context: &EncryptionContext) -> AuditRecord {
    let mut record = call.record(action.name(), "");
    record.context = Some(ContextDigest::of(context));
    record
}

/// A signature or a code is verified with the version that made it, never with whichever fits.
///
/// # Errors
/// INVALID_ARGUMENT for none.
pub(super) fn check_named(version: u32) -> Result<(), Failure> {
    match version {
        0 => Err(Failure::invalid(
            "name the version that made it: it came with the answer",
        )),
        _ => Ok(()),
    }
}

/// The one answer to everything that does not open.
pub(super) fn open_failed() -> Failure {
    Failure::new(Reason::OpenFailed, envelope::OpenFailed.to_string())
}

/// The circumstances of a use of one item.
pub(super) fn once(encryption: &EncryptionContext) -> Facts<'_> {
    Facts::Use {
        encryption,
        count: 1,
    }
}
