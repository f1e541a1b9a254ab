//! PutAlias and DeleteAlias, by compare-and-swap; ListAliases, perhaps stale.

use bytes::Bytes;
use envelope::id::KeyId;
use ward_proto::admin::v1::{
    DeleteAliasRequest, DeleteAliasResponse, PutAliasRequest, PutAliasResponse,
};
use ward_proto::v1::{self as proto, ListAliasesRequest, ListAliasesResponse};

use crate::api::call::{Call, write_record};
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::key_ref::FoundKey;
use crate::api::page::Page;
use crate::api::permitted::{Permitted, permit, permitted};
use crate::api::write::{Intent, OnConflict, propose_noting};
use crate::audit::AuditRecord;
use crate::command::{
    Command, DeleteAlias, Outcome, PutAlias, Refusal, check_delete, check_put, is_alias,
};
use crate::limits::PAGE_SCAN_MAX;
use crate::policy::{Action, Authorized, Facts, Resource};
use crate::replica::{Applied, ReadBarrier};
use crate::state::{AliasRecord, Index};

/// Serves PutAlias. A move leaves a record for each key: the one that loses the alias, and the one
/// that gets it.
pub(crate) async fn put(
    call: &Call,
    request: PutAliasRequest,
) -> Result<PutAliasResponse, Failure> {
    check_name(&request.name)?;
    let action = Action::PutAlias;
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let mut gets = call.record(action.name(), "");
    gets.order = Some(format!("gets={}", request.name));
    let mut loses = call.record(action.name(), "");
    loses.order = Some(format!("loses={}", request.name));
    let decide = |barrier: &ReadBarrier, gets: &mut AuditRecord| {
        decide_put(call, &request, barrier, gets, &mut loses)
    };
    let made = propose_noting(call, &intent, OnConflict::Refuse, &mut gets, decide).await;
    let made = made.and_then(|made| Put::of(call, made));
    if let Ok(put) = &made {
        gets.resource.clone_from(&put.key.name);
        loses.key_id = put.former.as_ref().map(|former| former.id);
        let former = put.former.as_ref().map(|former| former.name.clone());
        loses.resource = former.unwrap_or_default();
    }
    let noted = match loses.resource.is_empty() {
        true => None,
        false => Some(write_record(&call.node, loses, made.as_ref().err()).await),
    };
    let (put, _durable) = call.settle(gets, made).await?;
    noted.transpose()?;
    Ok(PutAliasResponse {
        alias: Some(proto::Alias {
            name: request.name,
            key_id: Bytes::copy_from_slice(put.key.id.as_bytes()),
            key_name: put.key.name,
            revision: put.revision,
        }),
        applied: convert::applied(put.index),
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
    record.order = Some(format!("loses={}", request.name));
    let expected_revision = request.expected_revision;
    let decide = |barrier: &ReadBarrier, record: &mut AuditRecord| {
        let check = |alias: Option<&_>| check_delete(alias, expected_revision).map(Some);
        let authorized = may_lose(call, action, &request.name, barrier, check, record)?;
        let command = DeleteAlias {
            name: request.name.clone(),
            expected_revision,
        };
        Ok((authorized, Command::DeleteAlias(command)))
    };
    let made = propose_noting(call, &intent, OnConflict::Refuse, &mut record, decide).await;
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
        let named = aliases.map(|alias| (alias.name.as_str(), alias));
        page.scan(named, PAGE_SCAN_MAX, |alias| {
            Some(convert::alias(alias, index.key(&alias.key_id?)?))
        })
    });
    let (aliases, next_page_token) = page.finish_scan(aliases, |alias| &alias.name);
    Ok(ListAliasesResponse {
        aliases,
        next_page_token,
        applied,
    })
}

/// What a put made, whatever became of the alias since.
struct Put {
    key: Named,
    revision: u64,
    former: Option<Named>,
    index: u64,
}

/// A key and its name, which never changes.
struct Named {
    id: KeyId,
    name: String,
}

impl Put {
    fn of(call: &Call, made: Applied) -> Result<Self, Failure> {
        let Outcome::AliasPut {
            key_id,
            revision,
            former,
        } = made.outcome
        else {
            return Err(Failure::internal("a write answered as another verb"));
        };
        Ok(Self {
            key: Named::of(call, key_id)?,
            revision,
            former: former.map(|id| Named::of(call, id)).transpose()?,
            index: made.index,
        })
    }
}

impl Named {
    fn of(call: &Call, id: KeyId) -> Result<Self, Failure> {
        let name = |index: &Index| index.key(&id).map(|key| key.name.clone());
        let name = call.node.replica.read(name);
        let name = name.ok_or_else(|| Failure::internal("an alias of a key that is not there"))?;
        Ok(Self { id, name })
    }
}

/// Who moves an alias takes it from one key and gives it to another: both are asked for.
fn decide_put(
    call: &Call,
    request: &PutAliasRequest,
    barrier: &ReadBarrier,
    gets: &mut AuditRecord,
    loses: &mut AuditRecord,
) -> Result<(Authorized, Command), Failure> {
    let (action, reference) = (Action::PutAlias, request.key.as_ref());
    // The first decision guards the write: the second was made under its policies or newer ones.
    let Permitted { key, authorized } =
        permitted(call, barrier, action, reference, Facts::None, gets)?;
    let check = |alias: Option<&_>| check_put(alias, request.expected_revision);
    let _former = may_lose(call, action, &request.name, barrier, check, loses)?;
    let command = PutAlias {
        name: request.name.clone(),
        key_id: key.key_id,
        expected_revision: request.expected_revision,
    };
    Ok((authorized, Command::PutAlias(command)))
}

/// Whether the key that has the alias may lose it; where no key has it, whether its name may be
/// used.
///
/// `check` compares the revision in the read that finds the key: what is permitted is to take the
/// alias from this key, and apply compares the same revision again. One that comes only later might
/// be that of a key which the caller may take nothing from.
fn may_lose(
    call: &Call,
    action: Action,
    name: &str,
    _barrier: &ReadBarrier,
    check: impl FnOnce(Option<&AliasRecord>) -> Result<Option<KeyId>, Refusal>,
    record: &mut AuditRecord,
) -> Result<Authorized, Failure> {
    let (found, checked) = call.node.replica.read(|index| {
        let alias = index.alias(name);
        let key = alias.and_then(|alias| index.key(&alias.key_id?));
        let found = key.and_then(|key| FoundKey::of_primary(index, key));
        (found, check(alias))
    });
    let authorized = match found {
        Some(key) => permit(call, action, key, Facts::None, record)?.authorized,
        None => {
            let named = Resource::key(name);
            call.authorize(action, named, Facts::None)?
        }
    };
    // Who may not take it does not learn its revision.
    checked?;
    Ok(authorized)
}

fn check_name(name: &str) -> Result<(), Failure> {
    match is_alias(name) {
        true => Ok(()),
        false => Err(Failure::invalid(
            "an alias is `alias/` and a name of letters, digits and `/ - . _`, at most 128 in all",
        )),
    }
}
