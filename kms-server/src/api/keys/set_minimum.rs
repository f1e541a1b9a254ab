//! SetKeyMinimum: from the answer on, no node uses an older version.

use ward_proto::admin::v1::{SetKeyMinimumRequest, SetKeyMinimumResponse};

use super::change::Change;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::key_ref::FoundKey;
use crate::api::write::OnConflict;
use crate::command::{Command, SetKeyMinimum};
use crate::policy::Action;

/// Serves SetKeyMinimum.
pub(crate) async fn set_minimum(
    call: &Call,
    request: SetKeyMinimumRequest,
) -> Result<SetKeyMinimumResponse, Failure> {
    let (encrypt, decrypt) = (request.encrypt, request.decrypt);
    if (encrypt, decrypt) == (0, 0) {
        return Err(Failure::invalid(
            "name a minimum to encrypt, to decrypt, or both",
        ));
    }
    let change = Change {
        action: Action::SetKeyMinimum,
        key: request.key.as_ref(),
        version: None,
        on_conflict: OnConflict::Retry,
        // A lower one gives back what a higher one took away.
        revokes: false,
        command: |_: &Call, found: &FoundKey| {
            Ok(Command::SetKeyMinimum(SetKeyMinimum {
                key_id: found.key_id,
                encrypt,
                decrypt,
            }))
        },
    };
    let write = request.write.as_ref();
    let (key, index) = change.carry_out(call, &request, write).await?;
    Ok(SetKeyMinimumResponse {
        key: Some(key),
        applied: convert::applied(index),
    })
}
