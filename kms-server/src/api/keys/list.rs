//! ListKeys: a page of keys by name; perhaps stale, at least as fresh as asked.

use std::cell::Cell;

use ward_proto::v1::{ListKeysRequest, ListKeysResponse};

use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::page::Page;
use crate::limits::PAGE_SCAN_MAX;
use crate::policy::{Action, Facts, Resource};
use crate::state::{Index, KeyRecord, Labels};

/// Serves ListKeys.
pub(crate) async fn list(
    call: &Call,
    request: ListKeysRequest,
) -> Result<ListKeysResponse, Failure> {
    let labels = convert::wanted_labels(&request.labels)?;
    call.wait_for(request.read.as_ref().map_or(0, |read| read.min_index))
        .await?;
    let mut record = call.record(Action::ListKeys.name(), "cluster");
    let permitted = call.permit(
        &mut record,
        Action::ListKeys,
        Resource::Cluster,
        Facts::None,
    );
    let (_authorized, _durable) = call.settle(record, permitted).await?;

    let page = Page::new(request.page_size, request.page_token);
    let applied = convert::applied(call.node.replica.applied_index());
    // Where few keys have the labels, a page ends after so many were looked at: the index is not
    // held for as long as it takes to find a thousand.
    let (looked_at, ended_at) = (Cell::new(0), Cell::new(None));
    let keys = call.node.replica.read(|index| {
        let keys = index.keys_by_name(&request.prefix, page.after());
        let keys = keys.take_while(|key| {
            if looked_at.get() == PAGE_SCAN_MAX {
                return false;
            }
            looked_at.set(looked_at.get() + 1);
            ended_at.set(Some(key.key_id));
            true
        });
        let keys = keys.filter(|key| has_labels(index, key, &labels));
        let found = page.take(keys.map(|key| convert::key(index, key)));
        let last = ended_at.get().filter(|_| looked_at.get() == PAGE_SCAN_MAX);
        let last = last.and_then(|key_id| index.key(&key_id));
        (found, last.map(|key| key.name.clone()))
    });
    let (keys, ended_at) = keys;
    let (keys, next_page_token) = page.finish(keys, |key| &key.name);
    let next_page_token = match next_page_token.is_empty() {
        true => ended_at.unwrap_or_default(),
        false => next_page_token,
    };
    Ok(ListKeysResponse {
        keys,
        next_page_token,
        applied,
    })
}

/// Whether the key has all of these.
fn has_labels(index: &Index, key: &KeyRecord, wanted: &Labels) -> bool {
    if wanted.is_empty() {
        return true;
    }
    let Some(own) = index.key_labels(&key.key_id) else {
        return false;
    };
    wanted
        .iter()
        .all(|(key, value)| own.get(key) == Some(value))
}
