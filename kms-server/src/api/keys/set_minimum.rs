//! SetKeyMinimum: from the answer on, no node uses an older version.

use ward_proto::admin::v1::{SetKeyMinimumRequest, SetKeyMinimumResponse};

use super::{current, set_state};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::key_ref::{FoundKey, refuse_unknown};
use crate::api::write::{Intent, OnConflict, key_of, propose};
use crate::command::{Command, SetKeyMinimum};
use crate::policy::{Action, Authorized, Facts};
use crate::replica::ReadBarrier;

/// Serves SetKeyMinimum.
pub(crate) async fn set_minimum(
    call: &Call,
    request: SetKeyMinimumRequest,
) -> Result<SetKeyMinimumResponse, Failure> {
    if (request.encrypt, request.decrypt) == (0, 0) {
        return Err(Failure::invalid(
            "name a minimum to encrypt, to decrypt, or both",
        ));
    }
    let action = Action::SetKeyMinimum;
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let (resource, key_id) = set_state::names(call, request.key.as_ref());
    let mut record = call.record(action.name(), &resource);
    record.key_id = key_id;
    let decide = |barrier: &ReadBarrier| decide(call, &request, barrier);
    let made = propose(call, &intent, OnConflict::Retry, &mut record, decide).await;
    let (made, _durable) = call.settle(record, made).await?;
    Ok(SetKeyMinimumResponse {
        key: Some(current(call, key_of(&made.outcome)?)?),
        applied: convert::applied(made.index),
    })
}

fn decide(
    call: &Call,
    request: &SetKeyMinimumRequest,
    barrier: &ReadBarrier,
) -> Result<(Authorized, Command), Failure> {
    let (action, reference) = (Action::SetKeyMinimum, request.key.as_ref());
    let found = call
        .node
        .replica
        .read(|index| FoundKey::by_ref(index, barrier, reference))
        .map_err(|unknown| refuse_unknown(call, action, reference, Facts::None, unknown))?;
    let authorized = call.authorize(action, found.resource(), Facts::None)?;
    let command = SetKeyMinimum {
        key_id: found.key_id,
        encrypt: request.encrypt,
        decrypt: request.decrypt,
    };
    Ok((authorized, Command::SetKeyMinimum(command)))
}
