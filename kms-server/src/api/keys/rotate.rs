//! RotateKey: a new primary version, by compare-and-swap where the caller names what it expects.

use envelope::id::KeyVersion;
use kms_client::reason::Reason;
use ward_proto::admin::v1::{RotateKeyRequest, RotateKeyResponse};

use super::change::Change;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::key_ref::FoundKey;
use crate::api::write::OnConflict;
use crate::command::{Command, RotateKey, RotateSigningKey};
use crate::policy::Action;
use crate::vault::Vault;

/// Serves RotateKey.
pub(crate) async fn rotate(
    call: &Call,
    request: RotateKeyRequest,
) -> Result<RotateKeyResponse, Failure> {
    let expected = request.expected_primary;
    let change = Change {
        action: Action::RotateKey,
        key: request.key.as_ref(),
        version: None,
        on_conflict: match expected {
            0 => OnConflict::Retry,
            _ => OnConflict::Refuse,
        },
        revokes: false,
        command: |call: &Call, found: &FoundKey| command(call, found, expected),
    };
    let write = request.write.as_ref();
    let (key, index) = change.carry_out(call, &request, write).await?;
    Ok(RotateKeyResponse {
        key: Some(key),
        applied: convert::applied(index),
    })
}

/// The next version, unless another one is the primary than the caller expects.
fn command(call: &Call, found: &FoundKey, expected: u32) -> Result<Command, Failure> {
    if expected != 0 && expected != found.version.0 {
        let message = format!("the primary version is {}, not {expected}", found.version.0);
        return Err(Failure::new(Reason::Conflict, message));
    }
    next_version(&call.node.vault, found, sys::clock::wall_ms())
}

/// Seals the next version, for the revision that was found.
pub(super) fn next_version(
    vault: &Vault,
    found: &FoundKey,
    now_ms: u64,
) -> Result<Command, Failure> {
    let version = found.version.0.saturating_add(1);
    let key_id = found.key_id;
    let (key_type, next) = (found.key_type, KeyVersion(version));
    let made = vault.new_key_version(key_type, key_id, next, &found.name, now_ms)?;
    let rotation = RotateKey {
        key_id,
        expected_revision: found.revision,
        version,
        sealed: made.sealed,
    };
    Ok(match key_type.algorithm() {
        None => Command::RotateKey(rotation),
        Some(_) => Command::RotateSigningKey(RotateSigningKey {
            rotation,
            public_key: made.public_key,
        }),
    })
}
