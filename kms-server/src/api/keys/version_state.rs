//! EnableKeyVersion and DisableKeyVersion: as for a whole key, of one version.

use ward_proto::admin::v1::{
    DisableKeyVersionRequest, DisableKeyVersionResponse, EnableKeyVersionRequest,
    EnableKeyVersionResponse,
};

use super::set_state::Change;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::policy::Action;
use crate::state::KeyState;

/// Serves EnableKeyVersion.
pub(crate) async fn enable(
    call: &Call,
    request: EnableKeyVersionRequest,
) -> Result<EnableKeyVersionResponse, Failure> {
    let (key, write) = (request.key.as_ref(), request.write.as_ref());
    let change = Change {
        action: Action::EnableKeyVersion,
        state: KeyState::Enabled,
        key,
        version: Some(named(request.key_version)?),
    };
    let (key, index) = change.carry_out(call, &request, write).await?;
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
    let change = Change {
        action: Action::DisableKeyVersion,
        state: KeyState::Disabled,
        key,
        version: Some(named(request.key_version)?),
    };
    let (key, index) = change.carry_out(call, &request, write).await?;
    Ok(DisableKeyVersionResponse {
        key: Some(key),
        applied: convert::applied(index),
    })
}

/// None is not the whole key: that is another verb, with another permission.
fn named(version: u32) -> Result<u32, Failure> {
    match version {
        0 => Err(Failure::invalid("name a version; they count from 1")),
        version => Ok(version),
    }
}
