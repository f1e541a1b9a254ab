//! Finds the key that a request names and asks whether the caller may do this to it: what verbs
//! that use a key and verbs that change one share. The audit record names the key before it is
//! asked for, so that a refusal does too.

use envelope::id::KeyId;
use ward_proto::v1::KeyRef;
use ward_proto::v1::key_ref::By;

use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::api::key_ref::FoundKey;
use crate::audit::AuditRecord;
use crate::command::is_key_name;
use crate::policy::{Action, Authorized, Facts, Resource};
use crate::replica::ReadBarrier;

/// A key that the caller may do one thing to, and the proof of it.
pub(crate) struct Permitted {
    pub(crate) key: FoundKey,
    pub(crate) authorized: Authorized,
}

/// Finds the key of a reference and asks whether `action` is permitted on it.
///
/// # Errors
/// DENIED comes before KEY_NOT_FOUND: who may not use a name does not learn whether it exists.
pub(crate) fn permitted(
    call: &Call,
    barrier: &ReadBarrier,
    action: Action,
    reference: Option<&KeyRef>,
    facts: Facts<'_>,
    record: &mut AuditRecord,
) -> Result<Permitted, Failure> {
    asked_for(record, reference);
    let found = call
        .node
        .replica
        .read(|index| FoundKey::by_ref(index, barrier, reference));
    match found {
        Ok(key) => permit(call, action, key, facts, record),
        Err(unknown) => Err(refuse_unknown(call, action, reference, facts, unknown)),
    }
}

/// Asks whether `action` is permitted on a key that was found.
///
/// # Errors
/// DENIED.
pub(crate) fn permit(
    call: &Call,
    action: Action,
    key: FoundKey,
    facts: Facts<'_>,
    record: &mut AuditRecord,
) -> Result<Permitted, Failure> {
    record.resource.clone_from(&key.name);
    record.key_id = Some(key.key_id);
    let authorized = call.permit(record, action, key.resource(), facts)?;
    Ok(Permitted { key, authorized })
}

/// Answers for a key that was not found: DENIED comes before KEY_NOT_FOUND, so that who may not
/// use a name does not learn whether it exists.
pub(crate) fn refuse_unknown(
    call: &Call,
    action: Action,
    key: Option<&KeyRef>,
    facts: Facts<'_>,
    unknown: Failure,
) -> Failure {
    let named = named_resource(key);
    let denied = named.and_then(|resource| call.authorize(action, resource, facts).err());
    denied.unwrap_or(unknown)
}

/// Writes down what the caller named, whether or not there is such a key.
pub(crate) fn asked_for(record: &mut AuditRecord, reference: Option<&KeyRef>) {
    match reference.and_then(|key| key.by.as_ref()) {
        Some(By::Name(name)) if is_key_name(name) => {
            record.resource.clone_from(name);
        }
        Some(By::KeyId(id)) => record.key_id = KeyId::try_from(id.as_ref()).ok(),
        Some(By::Name(_)) | None => {}
    }
}

/// What the policies see of a key that may not exist.
fn named_resource(key: Option<&KeyRef>) -> Option<Resource<'_>> {
    match key?.by.as_ref()? {
        By::Name(name) => Some(Resource::key(name)),
        By::KeyId(_) => None,
    }
}
