//! ListKeys: a page of keys by name; perhaps stale, at least as fresh as asked.

use ward_proto::v1::{ListKeysRequest, ListKeysResponse};

use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::page::Page;
use crate::policy::{Action, Facts, Resource};

/// Serves ListKeys.
pub(crate) async fn list(
    call: &Call,
    request: ListKeysRequest,
) -> Result<ListKeysResponse, Failure> {
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
        page.take(keys.map(|key| convert::key(index, key)))
    });
    let (keys, next_page_token) = page.finish(keys, |key| &key.name);
    Ok(ListKeysResponse {
        keys,
        next_page_token,
        applied,
    })
}
