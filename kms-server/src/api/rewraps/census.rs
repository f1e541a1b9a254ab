//! ReadCensus: what the archives of gateways hold under which version of a key, as they told.

use ward_proto::admin::v1::{ReadCensusRequest, ReadCensusResponse};

use super::told;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::key_ref::lookup;
use crate::api::page::Page;
use crate::api::permitted::asked_for;
use crate::policy::{Action, Facts, Resource};

/// Serves ReadCensus.
pub(crate) async fn census(
    call: &Call,
    request: ReadCensusRequest,
) -> Result<ReadCensusResponse, Failure> {
    let _barrier = call.barrier().await?;
    let action = Action::ReadCensus;
    let mut record = call.record(action.name(), "cluster");
    asked_for(&mut record, request.key.as_ref());
    let permitted = call.permit(&mut record, action, Resource::Cluster, Facts::None);
    let (_authorized, _durable) = call.settle(record, permitted).await?;
    let replica = &call.node.replica;
    let applied = convert::applied(replica.applied_index());
    let (keys, next_page_token) = match &request.key {
        Some(key) => {
            let key = replica.read(|index| {
                let key = lookup(index, Some(key))?;
                Ok::<_, Failure>(told::key(index, key))
            });
            (vec![key?], String::new())
        }
        None => {
            let page = Page::new(request.page_size, request.page_token);
            let keys = replica.read(|index| {
                let keys = index.keys_by_name("", page.after());
                page.take(keys.map(|key| told::key(index, key)))
            });
            page.finish(keys, |key| &key.name)
        }
    };
    Ok(ReadCensusResponse {
        keys,
        gateways: replica.read(told::archives),
        next_page_token,
        now_ms: sys::clock::wall_ms(),
        applied,
    })
}
