//! GetPublicKey: what verifies a key's signatures elsewhere; perhaps stale, at least as fresh as
//! asked. It is told whatever the key's state, for what was signed stays to be verified.

use bytes::Bytes;
use envelope::id::KeyVersion;
use ward_proto::v1::{GetPublicKeyRequest, GetPublicKeyResponse};

use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::key_ref::{FoundKey, lookup};
use crate::api::permitted::{permit, refuse_unknown};
use crate::audit::AuditRecord;
use crate::command::Refusal;
use crate::policy::{Action, Facts};
use crate::state::Index;
use crate::vault::VaultError;

/// Serves GetPublicKey.
pub(crate) async fn public_key(
    call: &Call,
    request: GetPublicKeyRequest,
) -> Result<GetPublicKeyResponse, Failure> {
    call.wait_for(request.read.as_ref().map_or(0, |read| read.min_index))
        .await?;
    let mut record = call.record(Action::GetPublicKey.name(), "");
    let found = find(call, &request, &mut record);
    let (answer, _durable) = call.settle(record, found).await?;
    Ok(answer)
}

fn find(
    call: &Call,
    request: &GetPublicKeyRequest,
    record: &mut AuditRecord,
) -> Result<GetPublicKeyResponse, Failure> {
    let applied = convert::applied(call.node.replica.applied_index());
    let (action, reference) = (Action::GetPublicKey, request.key.as_ref());
    let found = call.node.replica.read(|index| {
        let key = lookup(index, reference)?;
        let primary = FoundKey::of_primary(index, key);
        primary.ok_or_else(|| Failure::internal("a key has no primary version"))
    });
    let key =
        found.map_err(|unknown| refuse_unknown(call, action, reference, Facts::None, unknown))?;
    let key = permit(call, action, key, Facts::None, record)?.key;
    let version = match request.key_version {
        0 => key.version,
        asked => KeyVersion(asked),
    };
    record.key_version = Some(version);
    let stored = |index: &Index| index.public_key(&key.key_id, version).map(<[u8]>::to_vec);
    let Some(stored) = call.node.replica.read(stored) else {
        return Err(match key.key_type.algorithm() {
            Some(_) => Refusal::VersionNotFound.into(),
            None => VaultError::KeyUsage {
                usage: key.key_type.usage(),
            }
            .into(),
        });
    };
    Ok(GetPublicKeyResponse {
        public_key_der: stored.into(),
        key_type: convert::key_type(key.key_type).into(),
        key_id: Bytes::copy_from_slice(key.key_id.as_bytes()),
        key_version: version.0,
        applied,
    })
}
