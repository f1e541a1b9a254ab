//! EnableKeyVersion and DisableKeyVersion: as for a whole key, of one version.

use envelope::id::KeyVersion;
use ward_proto::admin::v1::{
    DisableKeyVersionRequest, DisableKeyVersionResponse, EnableKeyVersionRequest,
    EnableKeyVersionResponse,
};
use ward_proto::v1::{self as proto, KeyRef, WriteOptions};

use super::change::Change;
use crate::api::approvals::WriteRequest;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::key_ref::FoundKey;
use crate::api::write::OnConflict;
use crate::command::{Command, SetVersionState};
use crate::policy::Action;
use crate::state::KeyState;

/// Serves EnableKeyVersion.
pub(crate) async fn enable(
    call: &Call,
    request: EnableKeyVersionRequest,
) -> Result<EnableKeyVersionResponse, Failure> {
    let (key, write) = (request.key.as_ref(), request.write.as_ref());
    let named = (key, request.key_version);
    let (key, index) = set(call, KeyState::Enabled, named, &request, write).await?;
    Ok(EnableKeyVersionResponse {
        key: Some(key),
        applied: convert::applied(index),
    })
}

/// Serves DisableKeyVersion.
pub(crate) async fn disable(
    call: &Call,
    request: DisableKeyVersionRequest,
) -> Result<DisableKeyVersionResponse, Failure> {
    let (key, write) = (request.key.as_ref(), request.write.as_ref());
    let named = (key, request.key_version);
    let (key, index) = set(call, KeyState::Disabled, named, &request, write).await?;
    Ok(DisableKeyVersionResponse {
        key: Some(key),
        applied: convert::applied(index),
    })
}

async fn set<M: WriteRequest>(
    call: &Call,
    state: KeyState,
    (key, version): (Option<&KeyRef>, u32),
    request: &M,
    write: Option<&WriteOptions>,
) -> Result<(proto::Key, u64), Failure> {
    // None is not the whole key: that is another verb, with another permission.
    if version == 0 {
        return Err(Failure::invalid("name a version; they count from 1"));
    }
    let change = Change {
        action: match state {
            KeyState::Enabled => Action::EnableKeyVersion,
            KeyState::Disabled => Action::DisableKeyVersion,
        },
        key,
        version: Some(KeyVersion(version)),
        on_conflict: OnConflict::Retry,
        revokes: state == KeyState::Disabled,
        command: |_: &Call, found: &FoundKey| {
            Ok(Command::SetVersionState(SetVersionState {
                key_id: found.key_id,
                version,
                state,
            }))
        },
    };
    change.carry_out(call, request, write).await
}
