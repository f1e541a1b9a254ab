//! ListKeys: a page of keys by name; perhaps stale, at least as fresh as asked.

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
    let keys = call.node.replica.read(|index| {
        let keys = index.keys_by_name(&request.prefix, page.after());
        let named = keys.map(|key| (key.name.as_str(), key));
        page.scan(named, PAGE_SCAN_MAX, |key| {
            has_labels(index, key, &labels).then(|| convert::key(index, key))
        })
    });
    let (keys, next_page_token) = page.finish_scan(keys, |key| &key.name);
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
