//! How far the order that stands for a device is carried out: told after an order, and by
//! DescribeContainment. Waits for completion as long as the caller asked.

use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use ward_proto::admin::v1::{
    ContainmentProgress, DescribeContainmentRequest, DescribeContainmentResponse, PendingGateway,
};
use ward_proto::v1::Device;

use super::resource::DeviceResource;
use super::{inventory, resource};
use crate::api::call::{Call, settle_unsecret};
use crate::api::convert;
use crate::api::failure::Failure;
use crate::containment::Pending;
use crate::limits::CONTAINMENT_WAIT_MAX;
use crate::node::context::Node;
use crate::policy::{Action, Facts};
use crate::replica::{Change, Event};
use crate::state::{ContainLevel, ContainmentRecord};

/// Serves DescribeContainment.
pub(crate) async fn describe(
    call: &Call,
    request: DescribeContainmentRequest,
) -> Result<DescribeContainmentResponse, Failure> {
    let action = Action::DescribeContainment;
    call.barrier().await?;
    let mut record = call.record(action.name(), &request.device_id);
    let resource = resource::of(call, &request.device_id);
    let permitted = call.permit(&mut record, action, resource.as_resource(), Facts::None);
    let _authorized = settle_unsecret(&call.node, record, permitted).await?;
    let (device, progress) = wait(call, &request.device_id, request.wait_ms).await?;
    Ok(DescribeContainmentResponse {
        device: Some(device),
        progress: Some(progress),
        applied: convert::applied(call.node.replica.applied_index()),
    })
}

/// The device as it is now, without its inventory.
///
/// # Errors
/// DEVICE_NOT_FOUND.
pub(crate) fn device(call: &Call, device_id: &str) -> Result<Device, Failure> {
    let known = resource::of(call, device_id);
    Ok(inventory::unopened(call, known.record()?))
}

/// Waits until the order that stands is complete, or `wait_ms` is over. The device and its progress
/// are of one look: orders may follow each other closely, and one must not be told complete because
/// another was.
///
/// # Errors
/// DEVICE_NOT_FOUND.
pub(crate) async fn wait(
    call: &Call,
    device_id: &str,
    wait_ms: u32,
) -> Result<(Device, ContainmentProgress), Failure> {
    let wait = Duration::from_millis(wait_ms.into()).min(CONTAINMENT_WAIT_MAX);
    // What cannot be told in the time given is told as it is.
    let complete = until_complete(&call.node, device_id);
    tokio::time::timeout(wait, complete).await.ok();
    let Look {
        known,
        order,
        pending,
    } = look(&call.node, device_id);
    let device = inventory::under_order(known.record()?, order);
    Ok((device, progress(&pending)))
}

async fn until_complete(node: &Node, device_id: &str) {
    // Before the first look, so that no change falls between.
    let mut changes = node.replica.changes();
    loop {
        let pending = look(node, device_id).pending;
        let Some(first) = pending.iter().map(|gateway| gateway.remaining).min() else {
            return;
        };
        let about_it = async {
            loop {
                match changes.recv().await {
                    Ok(change) if !concerns(&change, device_id) => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                    // The node stops; the time given ends the wait.
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        // A gateway whose time is over is pending no longer.
        tokio::time::timeout(first, about_it).await.ok();
    }
}

/// A device, the order that stands for it, and who is waited for.
struct Look {
    known: DeviceResource,
    order: ContainmentRecord,
    pending: Vec<Pending>,
}

fn look(node: &Node, device_id: &str) -> Look {
    let term = node.replica.term();
    node.replica.read(|index| {
        let order = index.containment(device_id);
        let pending = match order.level {
            // A release waits for nobody: a gateway that has not heard of it stays closed.
            ContainLevel::None => Vec::new(),
            ContainLevel::Observe
            | ContainLevel::Restrict
            | ContainLevel::Isolate
            | ContainLevel::Revoke => node.pending(index, term, device_id),
        };
        Look {
            known: resource::within(index, device_id),
            order,
            pending,
        }
    })
}

fn concerns(change: &Change, device_id: &str) -> bool {
    match &change.event {
        Event::Device(changed) | Event::Acknowledged(changed) => changed == device_id,
        Event::Everything | Event::FormerGateway(_) | Event::Identity(..) => true,
        Event::Key(_) | Event::Policy | Event::Gateway(_) => false,
    }
}

fn progress(pending: &[Pending]) -> ContainmentProgress {
    let told = pending.iter().map(|gateway| PendingGateway {
        gateway_id: gateway.gateway_id.clone(),
        remaining_ms: u64::try_from(gateway.remaining.as_millis()).unwrap_or(u64::MAX),
    });
    ContainmentProgress {
        complete: pending.is_empty(),
        pending: told.collect(),
    }
}
