//! RotateKey: a new primary version, by compare-and-swap where the caller names what it expects.

use envelope::id::KeyVersion;
use kms_client::reason::Reason;
use ward_proto::admin::v1::{RotateKeyRequest, RotateKeyResponse};

use super::current;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::key_ref::{FoundKey, lookup, refuse_unknown};
use crate::api::write::{Intent, OnConflict, key_of, propose};
use crate::command::{Command, RotateKey, RotateSigningKey};
use crate::policy::{Action, Authorized, Facts};
use crate::replica::ReadBarrier;

/// Serves RotateKey.
pub(crate) async fn rotate(
    call: &Call,
    request: RotateKeyRequest,
) -> Result<RotateKeyResponse, Failure> {
    let action = Action::RotateKey;
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let (resource, key_id) = super::set_state::names(call, request.key.as_ref());
    let mut record = call.record(action.name(), &resource);
    record.key_id = key_id;
    let on_conflict = match request.expected_primary {
        0 => OnConflict::Retry,
        _ => OnConflict::Refuse,
    };
    let decide = |barrier: &ReadBarrier| decide(call, &request, barrier);
    let made = propose(call, &intent, on_conflict, &mut record, decide).await;
    let (made, _durable) = call.settle(record, made).await?;
    let key = current(call, key_of(&made.outcome)?)?;
    Ok(RotateKeyResponse {
        key: Some(key),
        applied: convert::applied(made.index),
    })
}

fn decide(
    call: &Call,
    request: &RotateKeyRequest,
    barrier: &ReadBarrier,
) -> Result<(Authorized, Command), Failure> {
    let reference = request.key.as_ref();
    let found = call.node.replica.read(|index| {
        let key = FoundKey::by_ref(index, barrier, reference)?;
        Ok::<_, Failure>((key, lookup(index, reference)?.revision))
    });
    let (found, revision) = found.map_err(|unknown| {
        refuse_unknown(call, Action::RotateKey, reference, Facts::None, unknown)
    })?;
    let authorized = call.authorize(Action::RotateKey, found.resource(), Facts::None)?;
    let expected = request.expected_primary;
    if expected != 0 && expected != found.version.0 {
        let message = format!("the primary version is {}, not {expected}", found.version.0);
        return Err(Failure::new(Reason::Conflict, message));
    }
    let version = found.version.0.saturating_add(1);
    let (key_id, now_ms) = (found.key_id, sys::clock::wall_ms());
    let vault = &call.node.vault;
    let (key_type, next) = (found.key_type, KeyVersion(version));
    let made = vault.new_key_version(key_type, key_id, next, &found.name, now_ms)?;
    let rotation = RotateKey {
        key_id,
        expected_revision: revision,
        version,
        sealed: made.sealed,
    };
    let command = match key_type.algorithm() {
        None => Command::RotateKey(rotation),
        Some(_) => Command::RotateSigningKey(RotateSigningKey {
            rotation,
            public_key: made.public_key,
        }),
    };
    Ok((authorized, command))
}
