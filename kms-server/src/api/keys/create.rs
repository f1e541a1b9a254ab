//! CreateKey and CreateTypedKey: a key with its first version, sealed here before it is proposed.

use envelope::id::{KeyId, KeyVersion};
use ward_proto::admin::v1::{
    CreateKeyRequest, CreateKeyResponse, CreateTypedKeyRequest, CreateTypedKeyResponse,
};
use ward_proto::v1::{self as proto, WriteOptions};

use super::current;
use crate::api::approvals::WriteRequest;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::write::{Intent, OnConflict, key_of, propose};
use crate::command::{ALIAS_PREFIX, Command, CreateKey, CreateTypedKey, is_key_name};
use crate::policy::{Action, Facts, Resource};
use crate::state::{KeyType, Labels};

/// Serves CreateKey.
pub(crate) async fn create(
    call: &Call,
    request: CreateKeyRequest,
) -> Result<CreateKeyResponse, Failure> {
    let (key, index) = make(
        call,
        &request.name,
        &Kind::default(),
        &request,
        request.write.as_ref(),
    )
    .await?;
    Ok(CreateKeyResponse {
        key: Some(key),
        applied: convert::applied(index),
    })
}

/// Serves CreateTypedKey.
pub(crate) async fn create_typed(
    call: &Call,
    request: CreateTypedKeyRequest,
) -> Result<CreateTypedKeyResponse, Failure> {
    let kind = Kind {
        key_type: convert::wanted_type(request.key_type)?,
        labels: convert::wanted_labels(&request.labels)?,
    };
    let write = request.write.as_ref();
    let (key, index) = make(call, &request.name, &kind, &request, write).await?;
    Ok(CreateTypedKeyResponse {
        key: Some(key),
        applied: convert::applied(index),
    })
}

async fn make<M: WriteRequest>(
    call: &Call,
    name: &str,
    kind: &Kind,
    request: &M,
    write: Option<&WriteOptions>,
) -> Result<(proto::Key, u64), Failure> {
    let action = Action::CreateKey;
    check_name(name)?;
    let intent = Intent::new(call, action.name(), request, write)?;
    let mut record = call.record(action.name(), name);
    let key_id = KeyId::random();
    let resource = Resource::key(name);
    let made = propose(call, &intent, OnConflict::Refuse, &mut record, |_barrier| {
        let authorized = call.authorize(action, resource, Facts::None)?;
        Ok((authorized, command(call, kind, key_id, name)?))
    })
    .await;
    let (made, _durable) = call.settle(record, made).await?;
    Ok((current(call, key_of(&made.outcome)?)?, made.index))
}

/// Checks what a new key shall be called.
///
/// # Errors
/// INVALID_ARGUMENT, with the alphabet.
pub(super) fn check_name(name: &str) -> Result<(), Failure> {
    if name.starts_with(ALIAS_PREFIX) {
        return Err(Failure::invalid(
            "names that begin with `alias/` are aliases; make the key under another one",
        ));
    }
    if !is_key_name(name) {
        return Err(Failure::invalid(
            "a key's name has 1 to 128 letters, digits and `/ - . _`",
        ));
    }
    Ok(())
}

/// What the key shall be, beside its name.
#[derive(Default)]
struct Kind {
    key_type: KeyType,
    labels: Labels,
}

/// Seals the first version. Members of every format know the command for the common kind.
fn command(call: &Call, kind: &Kind, key_id: KeyId, name: &str) -> Result<Command, Failure> {
    let (vault, now_ms) = (&call.node.vault, sys::clock::wall_ms());
    let key_type = kind.key_type;
    let made = vault.new_key_version(key_type, key_id, KeyVersion(1), name, now_ms)?;
    let key = CreateKey {
        key_id,
        name: name.to_owned(),
        sealed: made.sealed,
    };
    if key_type == KeyType::default() && kind.labels.is_empty() {
        return Ok(Command::CreateKey(key));
    }
    Ok(Command::CreateTypedKey(CreateTypedKey {
        key,
        key_type,
        public_key: made.public_key,
        labels: kind.labels.clone(),
    }))
}
