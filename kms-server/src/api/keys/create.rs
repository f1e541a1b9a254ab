//! CreateKey: a key with its first version, sealed here before it is proposed.

use envelope::id::{KeyId, KeyVersion};
use ward_proto::admin::v1::{CreateKeyRequest, CreateKeyResponse};

use super::current;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::write::{Intent, OnConflict, key_of, propose};
use crate::command::{Command, CreateKey, is_key_name};
use crate::policy::{Action, Facts, Resource};

/// Serves CreateKey.
pub(crate) async fn create(
    call: &Call,
    request: CreateKeyRequest,
) -> Result<CreateKeyResponse, Failure> {
    let action = Action::CreateKey;
    if !is_key_name(&request.name) {
        return Err(Failure::invalid(
            "a key's name has 1 to 128 letters, digits and `/ - . _`",
        ));
    }
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let mut record = call.record(action.name(), &request.name);
    let key_id = KeyId::random();
    let resource = Resource::Key {
        name: &request.name,
        device: None,
    };
    let made = propose(call, &intent, OnConflict::Refuse, &mut record, |_barrier| {
        let authorized = call.authorize(action, resource, Facts::None)?;
        let (name, now_ms) = (request.name.clone(), sys::clock::wall_ms());
        let vault = &call.node.vault;
        let sealed = vault.new_key_version(key_id, KeyVersion(1), &name, now_ms)?;
        Ok((
            authorized,
            Command::CreateKey(CreateKey {
                key_id,
                name,
                sealed,
            }),
        ))
    })
    .await;
    let (made, _durable) = call.settle(record, made).await?;
    let key = current(call, key_of(&made.outcome)?)?;
    Ok(CreateKeyResponse {
        key: Some(key),
        applied: convert::applied(made.index),
    })
}
