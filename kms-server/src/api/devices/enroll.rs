//! EnrollDevice: a device with its inventory fields and its key, both or neither.

use envelope::id::{KeyId, KeyVersion};
use kms_client::reason::Reason;
use ward_proto::admin::v1::{EnrollDeviceRequest, EnrollDeviceResponse};

use super::contain::check_allowance;
use super::inventory;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::write::{Intent, OnConflict, propose};
use crate::command::{Command, CreateKey, EnrollDevice, is_id};
use crate::policy::{Action, Authorized, DeviceRef, Facts, Resource};
use crate::state::ALLOWANCE_DEFAULT_S;

/// Serves EnrollDevice.
pub(crate) async fn enroll(
    call: &Call,
    request: EnrollDeviceRequest,
) -> Result<EnrollDeviceResponse, Failure> {
    let action = Action::EnrollDevice;
    let gateway_allowed = request.gateway.is_empty() || is_id(&request.gateway);
    if !is_id(&request.device_id) || !gateway_allowed {
        return Err(Failure::invalid(
            "an id has 1 to 64 lower-case letters, digits and `- . _`",
        ));
    }
    let allowance_s = request.offline_allowance_s;
    check_allowance(allowance_s.unwrap_or(ALLOWANCE_DEFAULT_S))?;
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let mut record = call.record(action.name(), &request.device_id);
    let key_id = KeyId::random();
    let decide = |_barrier: &_| decide(call, &request, key_id);
    let made = propose(call, &intent, OnConflict::Refuse, &mut record, decide).await;
    let (made, _durable) = call.settle(record, made).await?;
    let device = call
        .node
        .replica
        .read(|index| index.device(&request.device_id).cloned());
    let device =
        device.ok_or_else(|| Failure::new(Reason::DeviceNotFound, "the device is gone"))?;
    let device = inventory::opened(call, &device)?;
    Ok(EnrollDeviceResponse {
        device: Some(device),
        applied: convert::applied(made.index),
    })
}

fn decide(
    call: &Call,
    request: &EnrollDeviceRequest,
    key_id: KeyId,
) -> Result<(Authorized, Command), Failure> {
    let gateway = (!request.gateway.is_empty()).then_some(request.gateway.as_str());
    let resource = Resource::Device(DeviceRef {
        id: &request.device_id,
        gateway,
    });
    let authorized = call.authorize(Action::EnrollDevice, resource, Facts::None)?;
    let fields = request.inventory.clone().unwrap_or_default();
    let sealed_inventory = inventory::seal(call, &request.device_id, key_id, &fields, 1)?;
    let name = format!("device/{}", request.device_id);
    let (vault, now_ms) = (&call.node.vault, sys::clock::wall_ms());
    let command = EnrollDevice {
        device_id: request.device_id.clone(),
        gateway: request.gateway.clone(),
        sealed_inventory,
        offline_allowance_s: request.offline_allowance_s.unwrap_or(ALLOWANCE_DEFAULT_S),
        key: CreateKey {
            key_id,
            sealed: vault.new_key_version(key_id, KeyVersion(1), &name, now_ms)?,
            name,
        },
    };
    Ok((authorized, Command::EnrollDevice(command)))
}
