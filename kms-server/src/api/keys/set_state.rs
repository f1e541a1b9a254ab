//! EnableKey and DisableKey: from the answer to DisableKey on, no node uses the key.

use ward_proto::admin::v1::{
    DisableKeyRequest, DisableKeyResponse, EnableKeyRequest, EnableKeyResponse,
};
use ward_proto::v1::{self as proto, KeyRef, WriteOptions};

use super::change::Change;
use crate::api::approvals::WriteRequest;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::key_ref::FoundKey;
use crate::api::write::OnConflict;
use crate::command::{Command, SetKeyState};
use crate::policy::Action;
use crate::state::KeyState;

/// Serves EnableKey.
pub(crate) async fn enable(
    call: &Call,
    request: EnableKeyRequest,
) -> Result<EnableKeyResponse, Failure> {
    let (key, write) = (request.key.as_ref(), request.write.as_ref());
    let (key, index) = set(call, KeyState::Enabled, key, &request, write).await?;
    Ok(EnableKeyResponse {
        key: Some(key),
        applied: convert::applied(index),
    })
}

/// Serves DisableKey.
pub(crate) async fn disable(
    call: &Call,
    request: DisableKeyRequest,
) -> Result<DisableKeyResponse, Failure> {
    let (key, write) = (request.key.as_ref(), request.write.as_ref());
    let (key, index) = set(call, KeyState::Disabled, key, &request, write).await?;
    Ok(DisableKeyResponse {
        key: Some(key),
        applied: convert::applied(index),
    })
}

async fn set<M: WriteRequest>(
    call: &Call,
    state: KeyState,
    key: Option<&KeyRef>,
    request: &M,
    write: Option<&WriteOptions>,
) -> Result<(proto::Key, u64), Failure> {
    let change = Change {
        action: match state {
            KeyState::Enabled => Action::EnableKey,
            KeyState::Disabled => Action::DisableKey,
        },
        key,
        version: None,
        on_conflict: OnConflict::Retry,
        revokes: state == KeyState::Disabled,
        command: |_: &Call, found: &FoundKey| {
            let key_id = found.key_id;
            Ok(Command::SetKeyState(SetKeyState { key_id, state }))
        },
    };
    change.carry_out(call, request, write).await
}
