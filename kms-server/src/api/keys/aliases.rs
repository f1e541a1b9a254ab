//! PutAlias and DeleteAlias, by compare-and-swap; ListAliases, perhaps stale.

use envelope::id::KeyId;
use kms_client::reason::Reason;
use ward_proto::admin::v1::{
    DeleteAliasRequest, DeleteAliasResponse, PutAliasRequest, PutAliasResponse,
};
use ward_proto::v1::key_ref::By;
use ward_proto::v1::{self as proto, KeyRef, ListAliasesRequest, ListAliasesResponse};

use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::key_ref::{FoundKey, refuse_unknown};
use crate::api::page::Page;
use crate::api::write::{Intent, OnConflict, propose};
use crate::command::{Command, DeleteAlias, PutAlias, is_alias};
use crate::policy::{Action, Authorized, Facts, Resource};
use crate::replica::ReadBarrier;

/// Serves PutAlias.
pub(crate) async fn put(
    call: &Call,
    request: PutAliasRequest,
) -> Result<PutAliasResponse, Failure> {
    check_name(&request.name)?;
    let action = Action::PutAlias;
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let mut record = call.record(action.name(), &request.name);
    let decide = |barrier: &ReadBarrier| decide_put(call, &request, barrier);
    let made = propose(call, &intent, OnConflict::Refuse, &mut record, decide).await;
    let (made, _durable) = call.settle(record, made).await?;
    Ok(PutAliasResponse {
        alias: Some(current(call, &request.name)?),
        applied: convert::applied(made.index),
    })
}

/// Serves DeleteAlias.
pub(crate) async fn delete(
    call: &Call,
    request: DeleteAliasRequest,
) -> Result<DeleteAliasResponse, Failure> {
    check_name(&request.name)?;
    let action = Action::DeleteAlias;
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let mut record = call.record(action.name(), &request.name);
    let decide = |barrier: &ReadBarrier| {
        let authorized = may_lose(call, action, &request.name, barrier)?;
        let authorized = authorized.ok_or_else(no_alias)?;
        let command = DeleteAlias {
            name: request.name.clone(),
            expected_revision: request.expected_revision,
        };
        Ok((authorized, Command::DeleteAlias(command)))
    };
    let made = propose(call, &intent, OnConflict::Refuse, &mut record, decide).await;
    let (made, _durable) = call.settle(record, made).await?;
    Ok(DeleteAliasResponse {
        applied: convert::applied(made.index),
    })
}

/// Serves ListAliases.
pub(crate) async fn list(
    call: &Call,
    request: ListAliasesRequest,
) -> Result<ListAliasesResponse, Failure> {
    call.wait_for(request.read.as_ref().map_or(0, |read| read.min_index))
        .await?;
    let action = Action::ListAliases;
    let mut record = call.record(action.name(), "cluster");
    let permitted = call.permit(&mut record, action, Resource::Cluster, Facts::None);
    let (_authorized, _durable) = call.settle(record, permitted).await?;
    let page = Page::new(request.page_size, request.page_token);
    let applied = convert::applied(call.node.replica.applied_index());
    let aliases = call.node.replica.read(|index| {
        let aliases = index.aliases(&request.prefix, page.after());
        page.take(aliases.map(|(alias, key)| convert::alias(alias, key)))
    });
    let (aliases, next_page_token) = page.finish(aliases, |alias| &alias.name);
    Ok(ListAliasesResponse {
        aliases,
        next_page_token,
        applied,
    })
}

/// Who moves an alias takes it from one key and gives it to another: both are asked for.
fn decide_put(
    call: &Call,
    request: &PutAliasRequest,
    barrier: &ReadBarrier,
) -> Result<(Authorized, Command), Failure> {
    let (action, reference) = (Action::PutAlias, request.key.as_ref());
    let found = call
        .node
        .replica
        .read(|index| FoundKey::by_ref(index, barrier, reference))
        .map_err(|unknown| refuse_unknown(call, action, reference, Facts::None, unknown))?;
    // The first decision guards the write: the second was made under its policies or newer ones.
    let authorized = call.authorize(action, found.resource(), Facts::None)?;
    let _former = may_lose(call, action, &request.name, barrier)?;
    let command = PutAlias {
        name: request.name.clone(),
        key_id: found.key_id,
        expected_revision: request.expected_revision,
    };
    Ok((authorized, Command::PutAlias(command)))
}

/// Whether the key that has the alias now may lose it; none when no key has it.
fn may_lose(
    call: &Call,
    action: Action,
    name: &str,
    barrier: &ReadBarrier,
) -> Result<Option<Authorized>, Failure> {
    let living = |key_id: KeyId| KeyRef {
        by: Some(By::KeyId(key_id.as_bytes().to_vec().into())),
    };
    let found = call.node.replica.read(|index| {
        let key_id = index.alias(name)?.key_id?;
        Some(FoundKey::by_ref(index, barrier, Some(&living(key_id))))
    });
    let Some(found) = found.transpose()? else {
        let named = Resource::Key { name, device: None };
        let _authorized = call.authorize(action, named, Facts::None)?;
        return Ok(None);
    };
    let authorized = call.authorize(action, found.resource(), Facts::None)?;
    Ok(Some(authorized))
}

/// An alias as it is now, after a write to it was applied.
fn current(call: &Call, name: &str) -> Result<proto::Alias, Failure> {
    call.node.replica.read(|index| {
        let alias = index.alias(name).ok_or_else(no_alias)?;
        let key = alias.key_id.and_then(|key_id| index.key(&key_id));
        Ok(convert::alias(alias, key.ok_or_else(no_alias)?))
    })
}

fn check_name(name: &str) -> Result<(), Failure> {
    match is_alias(name) {
        true => Ok(()),
        false => Err(Failure::invalid(
            "an alias is `alias/` and a name of letters, digits and `/ - . _`, at most 128 in all",
        )),
    }
}

fn no_alias() -> Failure {
    let message = "no such alias; list the aliases for what there is";
    Failure::new(Reason::AliasNotFound, message)
}
