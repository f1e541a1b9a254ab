//! AcknowledgeContainment: a gateway says that against an order it forwards nothing any more.

use serde::{Deserialize, Serialize};
use ward_proto::v1::{AcknowledgeContainmentRequest, AcknowledgeContainmentResponse};

use crate::api::call::{Call, settle_revocation};
use crate::api::convert;
use crate::api::devices::resource;
use crate::api::failure::Failure;
use crate::api::forward::{self, Handed, HandedCaller};
use crate::api::write::{Intent, OnConflict, propose};
use crate::command::{AcknowledgeContainment, Command, is_id};
use crate::policy::{Action, Facts};

/// What a gateway acknowledges.
#[derive(Serialize, Deserialize)]
pub(crate) struct Acknowledgement {
    device_id: String,
    epoch: u64,
}

/// Serves AcknowledgeContainment.
pub(crate) async fn acknowledge(
    call: &Call,
    request: AcknowledgeContainmentRequest,
) -> Result<AcknowledgeContainmentResponse, Failure> {
    if !is_id(&request.device_id) {
        return Err(Failure::invalid("acknowledge for a device, by its id"));
    }
    let acknowledgement = Acknowledgement {
        device_id: request.device_id,
        epoch: request.epoch,
    };
    let handed = Handed::AcknowledgeContainment(HandedCaller::of(call), acknowledgement);
    let (_, index) = forward::to_leader(&call.node, handed).await?;
    Ok(AcknowledgeContainmentResponse {
        applied: convert::applied(index),
    })
}

/// Records it, on the leader; one that is recorded already is not written again. Answered also
/// when no audit record can be written: an order is not to wait for a full disk.
///
/// # Errors
/// DENIED for callers that are no gateways, DEVICE_NOT_FOUND, CONFLICT for an epoch that no order
/// has had.
pub(crate) async fn on_leader(call: &Call, told: &Acknowledgement) -> Result<u64, Failure> {
    let action = Action::AcknowledgeContainment;
    let (device_id, gateway_id) = (&told.device_id, call.caller.id.id());
    let node = &call.node;
    let known = node
        .replica
        .read(|index| index.acknowledged(device_id, gateway_id) >= told.epoch);
    if known && told.epoch > 0 {
        call.check_caller()?;
        return Ok(node.replica.applied_index());
    }
    let mut record = call.record(action.name(), device_id);
    let intent = Intent::repeatable();
    let made = propose(call, &intent, OnConflict::Retry, &mut record, |_barrier| {
        let resource = resource::of(call, device_id);
        let authorized = call.authorize(action, resource.as_resource(), Facts::None)?;
        let command = AcknowledgeContainment {
            gateway_id: gateway_id.to_owned(),
            device_id: device_id.clone(),
            epoch: told.epoch,
        };
        Ok((authorized, Command::AcknowledgeContainment(command)))
    })
    .await;
    Ok(settle_revocation(node, record, made).await?.index)
}
