//! A device's inventory fields: sealed as the contract's own message, opened for who may see them.

use bytes::Bytes;
use envelope::id::KeyId;
use prost::Message;
use ward_proto::v1::{self as proto, Inventory};

use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::keyring::Place;
use crate::state::{ContainLevel, ContainmentRecord, DeviceRecord, DeviceState};

/// Checks the fields' lengths and seals them for a device with this key; `revision` is the former
/// plus 1.
///
/// # Errors
/// INVALID_ARGUMENT for a field beyond its limit.
pub(super) fn seal(
    call: &Call,
    device_id: &str,
    key_id: KeyId,
    inventory: &Inventory,
    revision: u64,
) -> Result<Vec<u8>, Failure> {
    let fields = [
        &inventory.vendor,
        &inventory.model,
        &inventory.serial,
        &inventory.software_version,
        &inventory.mac,
        &inventory.location,
        &inventory.owner,
        &inventory.criticality,
        &inventory.data_sensitivity,
    ];
    if fields.iter().any(|field| field.len() > FIELD_BYTES_MAX) {
        return Err(Failure::invalid("an inventory field has at most 256 bytes"));
    }
    let place = Place::device(device_id, key_id);
    let (now_ms, text) = (sys::clock::wall_ms(), inventory.encode_to_vec());
    Ok(call
        .node
        .vault
        .seal_record(&place, revision, now_ms, &text)?)
}

/// A device as the contract tells it, with its inventory, for a call that is audited before it is
/// answered.
///
/// # Errors
/// When the stored inventory does not open.
pub(super) fn opened(call: &Call, record: &DeviceRecord) -> Result<proto::Device, Failure> {
    let place = Place::device(&record.device_id, record.key_id);
    let text = call.node.vault.open_record(&place, &record.sealed)?;
    let inventory = Inventory::decode(text.expose())
        .map_err(|_| Failure::internal("a stored inventory is malformed"))?;
    Ok(proto::Device {
        inventory: Some(inventory),
        ..unopened(call, record)
    })
}

/// A device without its inventory: nothing of that is secret, and nothing can fail. For what must
/// be answered in an incident, whatever state the audit log or the inventory is in.
pub(super) fn unopened(call: &Call, record: &DeviceRecord) -> proto::Device {
    let order = call
        .node
        .replica
        .read(|index| index.containment(&record.device_id));
    under_order(record, order)
}

/// A device without its inventory, under the order that stands for it.
pub(super) fn under_order(record: &DeviceRecord, order: ContainmentRecord) -> proto::Device {
    proto::Device {
        device_id: record.device_id.clone(),
        inventory: None,
        state: told_state(record).into(),
        key_id: Bytes::copy_from_slice(record.key_id.as_bytes()),
        gateway: record.gateway.clone(),
        enrolled_ms: record.enrolled_ms,
        revision: record.revision + order.revision,
        offline_allowance_s: order.allowance_s,
        containment: Some(told_order(order)),
    }
}

/// What watchers are told of a device: nothing of the inventory.
pub(crate) fn told(record: &DeviceRecord, order: ContainmentRecord) -> proto::DeviceChanged {
    proto::DeviceChanged {
        device_id: record.device_id.clone(),
        state: told_state(record).into(),
        revision: record.revision + order.revision,
        offline_allowance_s: order.allowance_s,
        containment: Some(told_order(order)),
    }
}

fn told_state(record: &DeviceRecord) -> proto::DeviceState {
    match record.state {
        DeviceState::Active => proto::DeviceState::Active,
        DeviceState::Revoked => proto::DeviceState::Revoked,
    }
}

fn told_order(order: ContainmentRecord) -> proto::Containment {
    let level = match order.level {
        ContainLevel::None => proto::ContainLevel::None,
        ContainLevel::Observe => proto::ContainLevel::Observe,
        ContainLevel::Restrict => proto::ContainLevel::Restrict,
        ContainLevel::Isolate => proto::ContainLevel::Isolate,
        ContainLevel::Revoke => proto::ContainLevel::Revoke,
    };
    proto::Containment {
        level: level.into(),
        settled: order.is_settled(),
        services: order.services,
        epoch: order.epoch,
        ordered_ms: order.ordered_ms,
        by: order.by,
        case_id: order.case_id,
    }
}

const FIELD_BYTES_MAX: usize = 256;
