//! SetKeyLabels: pairs that operators find keys by.

use ward_proto::admin::v1::{SetKeyLabelsRequest, SetKeyLabelsResponse};

use super::{current, set_state};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::key_ref::{FoundKey, refuse_unknown};
use crate::api::write::{Intent, OnConflict, key_of, propose};
use crate::command::{Command, LABELS_MAX, SetKeyLabels, is_id};
use crate::policy::{Action, Authorized, Facts};
use crate::replica::ReadBarrier;
use crate::state::Labels;

/// Serves SetKeyLabels.
pub(crate) async fn set_labels(
    call: &Call,
    request: SetKeyLabelsRequest,
) -> Result<SetKeyLabelsResponse, Failure> {
    let set = convert::wanted_labels(&request.set)?;
    check_removed(&request.remove)?;
    let action = Action::SetKeyLabels;
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let (resource, key_id) = set_state::names(call, request.key.as_ref());
    let mut record = call.record(action.name(), &resource);
    record.key_id = key_id;
    let decide = |barrier: &ReadBarrier| decide(call, &request, &set, barrier);
    let made = propose(call, &intent, OnConflict::Retry, &mut record, decide).await;
    let (made, _durable) = call.settle(record, made).await?;
    Ok(SetKeyLabelsResponse {
        key: Some(current(call, key_of(&made.outcome)?)?),
        applied: convert::applied(made.index),
    })
}

fn check_removed(remove: &[String]) -> Result<(), Failure> {
    match remove.len() <= LABELS_MAX && remove.iter().all(|key| is_id(key)) {
        true => Ok(()),
        false => Err(Failure::invalid(
            "at most 16 labels are removed, each named as it was set",
        )),
    }
}

fn decide(
    call: &Call,
    request: &SetKeyLabelsRequest,
    set: &Labels,
    barrier: &ReadBarrier,
) -> Result<(Authorized, Command), Failure> {
    let (action, reference) = (Action::SetKeyLabels, request.key.as_ref());
    let found = call
        .node
        .replica
        .read(|index| FoundKey::by_ref(index, barrier, reference))
        .map_err(|unknown| refuse_unknown(call, action, reference, Facts::None, unknown))?;
    let authorized = call.authorize(action, found.resource(), Facts::None)?;
    let command = SetKeyLabels {
        key_id: found.key_id,
        set: set.clone(),
        remove: request.remove.clone(),
    };
    Ok((authorized, Command::SetKeyLabels(command)))
}
