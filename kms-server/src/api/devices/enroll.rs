//! EnrollDevice: a device with its inventory fields and its key, both or neither.

use envelope::id::{KeyId, KeyVersion};
use ward_proto::admin::v1::{EnrollDeviceRequest, EnrollDeviceResponse};

use super::contain::check_allowance;
use super::{inventory, resource};
use crate::api::call::Call;
use crate::api::convert::{self, check_id};
use crate::api::failure::Failure;
use crate::api::write::{Intent, OnConflict, propose};
use crate::command::{Command, CreateKey, EnrollDevice};
use crate::policy::{Action, Authorized, DeviceRef, Facts, Resource};
use crate::state::{ALLOWANCE_DEFAULT_S, KeyType};

/// Serves EnrollDevice.
pub(crate) async fn enroll(
    call: &Call,
    request: EnrollDeviceRequest,
) -> Result<EnrollDeviceResponse, Failure> {
    let action = Action::EnrollDevice;
    check_id(&request.device_id)?;
    if !request.gateway.is_empty() {
        check_id(&request.gateway)?;
    }
    let allowance_s = request.offline_allowance_s;
    check_allowance(allowance_s.unwrap_or(ALLOWANCE_DEFAULT_S))?;
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let mut record = call.record(action.name(), &request.device_id);
    let key_id = KeyId::random();
    let decide = |_barrier: &_| decide(call, &request, key_id);
    let made = propose(call, &intent, OnConflict::Refuse, &mut record, decide).await;
    let (made, _durable) = call.settle(record, made).await?;
    let device = resource::of(call, &request.device_id);
    Ok(EnrollDeviceResponse {
        device: Some(inventory::opened(call, device.record()?)?),
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
    let (key_type, first) = (KeyType::default(), KeyVersion(1));
    let made = vault.new_key_version(key_type, key_id, first, &name, now_ms)?;
    let command = EnrollDevice {
        device_id: request.device_id.clone(),
        gateway: request.gateway.clone(),
        sealed_inventory,
        offline_allowance_s: request.offline_allowance_s.unwrap_or(ALLOWANCE_DEFAULT_S),
        key: CreateKey {
            key_id,
            sealed: made.sealed,
            name,
        },
    };
    Ok((authorized, Command::EnrollDevice(command)))
}
