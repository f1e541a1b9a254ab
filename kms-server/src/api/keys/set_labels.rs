//! SetKeyLabels: pairs that operators find keys by.

use ward_proto::admin::v1::{SetKeyLabelsRequest, SetKeyLabelsResponse};

use super::change::Change;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::key_ref::FoundKey;
use crate::api::write::OnConflict;
use crate::command::{Command, LABELS_MAX, SetKeyLabels, is_id};
use crate::policy::Action;

/// Serves SetKeyLabels.
pub(crate) async fn set_labels(
    call: &Call,
    request: SetKeyLabelsRequest,
) -> Result<SetKeyLabelsResponse, Failure> {
    let set = convert::wanted_labels(&request.set)?;
    check_removed(&request.remove)?;
    let change = Change {
        action: Action::SetKeyLabels,
        key: request.key.as_ref(),
        version: None,
        on_conflict: OnConflict::Retry,
        revokes: false,
        command: |_: &Call, found: &FoundKey| {
            Ok(Command::SetKeyLabels(SetKeyLabels {
                key_id: found.key_id,
                set: set.clone(),
                remove: request.remove.clone(),
            }))
        },
    };
    let write = request.write.as_ref();
    let (key, index) = change.carry_out(call, &request, write).await?;
    Ok(SetKeyLabelsResponse {
        key: Some(key),
        applied: convert::applied(index),
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
