//! EnableKey and DisableKey: from the answer to DisableKey on, no node uses the key.

use envelope::id::{KeyId, KeyVersion};
use prost::Message;
use ward_proto::admin::v1::{
    DisableKeyRequest, DisableKeyResponse, EnableKeyRequest, EnableKeyResponse,
};
use ward_proto::v1::key_ref::By;
use ward_proto::v1::{self as proto, KeyRef, WriteOptions};

use super::current;
use crate::api::call::{Call, settle_revocation};
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::key_ref::{FoundKey, lookup, refuse_unknown};
use crate::api::write::{Intent, OnConflict, key_of, propose};
use crate::command::{Command, SetKeyState, SetVersionState, is_key_name};
use crate::policy::{Action, Authorized, Facts};
use crate::replica::ReadBarrier;
use crate::state::KeyState;

/// Serves EnableKey.
pub(crate) async fn enable(
    call: &Call,
    request: EnableKeyRequest,
) -> Result<EnableKeyResponse, Failure> {
    let (key, write) = (request.key.as_ref(), request.write.as_ref());
    let change = Change {
        action: Action::EnableKey,
        state: KeyState::Enabled,
        key,
        version: None,
    };
    let (key, index) = change.carry_out(call, &request, write).await?;
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
    let change = Change {
        action: Action::DisableKey,
        state: KeyState::Disabled,
        key,
        version: None,
    };
    let (key, index) = change.carry_out(call, &request, write).await?;
    Ok(DisableKeyResponse {
        key: Some(key),
        applied: convert::applied(index),
    })
}

/// A change of state that was asked for.
pub(super) struct Change<'a> {
    pub(super) action: Action,
    pub(super) state: KeyState,
    pub(super) key: Option<&'a KeyRef>,
    /// Of this version alone.
    pub(super) version: Option<u32>,
}

impl Change<'_> {
    pub(super) async fn carry_out<M: Message>(
        &self,
        call: &Call,
        request: &M,
        write: Option<&WriteOptions>,
    ) -> Result<(proto::Key, u64), Failure> {
        let intent = Intent::new(call, self.action.name(), request, write)?;
        let (resource, key_id) = names(call, self.key);
        let mut record = call.record(self.action.name(), &resource);
        record.key_id = key_id;
        record.key_version = self.version.map(KeyVersion);
        let decide = |barrier: &ReadBarrier| self.decide(call, barrier);
        let made = propose(call, &intent, OnConflict::Retry, &mut record, decide).await;
        let made = match self.state {
            KeyState::Disabled => settle_revocation(&call.node, record, made).await?,
            KeyState::Enabled => call.settle(record, made).await?.0,
        };
        Ok((current(call, key_of(&made.outcome)?)?, made.index))
    }

    fn decide(&self, call: &Call, barrier: &ReadBarrier) -> Result<(Authorized, Command), Failure> {
        let found = call
            .node
            .replica
            .read(|index| FoundKey::by_ref(index, barrier, self.key))
            .map_err(|unknown| refuse_unknown(call, self.action, self.key, Facts::None, unknown))?;
        let authorized = call.authorize(self.action, found.resource(), Facts::None)?;
        let (key_id, state) = (found.key_id, self.state);
        let command = match self.version {
            None => Command::SetKeyState(SetKeyState { key_id, state }),
            Some(version) => Command::SetVersionState(SetVersionState {
                key_id,
                version,
                state,
            }),
        };
        Ok((authorized, command))
    }
}

/// How the audit record names the key of a request, as far as this node knows it.
pub(super) fn names(call: &Call, key: Option<&KeyRef>) -> (String, Option<KeyId>) {
    call.node.replica.read(|index| match lookup(index, key) {
        Ok(found) => (found.name.clone(), Some(found.key_id)),
        Err(_) => (asked_name(key), None),
    })
}

/// The name that the caller gave, when it could be one.
fn asked_name(key: Option<&KeyRef>) -> String {
    match key.and_then(|key| key.by.as_ref()) {
        Some(By::Name(name)) if is_key_name(name) => name.clone(),
        Some(By::Name(_) | By::KeyId(_)) | None => String::new(),
    }
}
