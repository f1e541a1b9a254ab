//! ListDevices: a page of devices by id; perhaps stale, at least as fresh as asked.

use ward_proto::v1::{ListDevicesRequest, ListDevicesResponse};

use super::inventory;
use crate::api::call::{Call, settle_unsecret};
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::page::Page;
use crate::policy::{Action, Facts, Resource};
use crate::state::Role;

/// Serves ListDevices.
pub(crate) async fn list(
    call: &Call,
    request: ListDevicesRequest,
) -> Result<ListDevicesResponse, Failure> {
    call.wait_for(request.read.as_ref().map_or(0, |read| read.min_index))
        .await?;
    let mut record = call.record(Action::ListDevices.name(), "cluster");
    let permitted = call.permit(
        &mut record,
        Action::ListDevices,
        Resource::Cluster,
        Facts::None,
    );
    let to_gateway = call.caller.role == Role::Gateway;
    if to_gateway {
        // A gateway that was away learns here which devices are contained, and no more than that.
        let _authorized = settle_unsecret(&call.node, record, permitted).await?;
    } else {
        let (_authorized, _durable) = call.settle(record, permitted).await?;
    }

    let page = Page::new(request.page_size, request.page_token);
    let applied = convert::applied(call.node.replica.applied_index());
    let records = call
        .node
        .replica
        .read(|index| page.take(index.devices(page.after()).cloned()));
    let devices = records.iter().map(|record| match to_gateway {
        true => Ok(inventory::unopened(call, record)),
        false => inventory::opened(call, record),
    });
    let devices = devices.collect::<Result<Vec<_>, Failure>>()?;
    let (devices, next_page_token) = page.finish(devices, |device| &device.device_id);
    Ok(ListDevicesResponse {
        devices,
        next_page_token,
        applied,
    })
}
