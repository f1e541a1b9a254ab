//! Devices and the inventory.

use std::time::Duration;

use envelope::id::KeyId;
use ward_proto::v1;

use super::containment::{Containment, containment_from_wire};
use super::{id_from_wire, malformed_answer};
use crate::error::Error;

/// What the inventory holds of a device. Every field may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Who built it.
    pub vendor: String,
    /// The model's name.
    pub model: String,
    /// The serial number.
    pub serial: String,
    /// As the vendor writes it.
    pub software_version: String,
    /// Lower-case, colon-separated.
    pub mac: String,
    /// Ward, room, place.
    pub location: String,
    /// The department or person that answers for it.
    pub owner: String,
    /// How much harm its failure does: `life-support`, `diagnostic`, `administrative`.
    pub criticality: String,
    /// What it carries: `patient-data`, `none`.
    pub data_sensitivity: String,
}

/// A device to enrol.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewDevice {
    /// 1 to 64 of `a-z 0-9 - . _`.
    pub id: String,
    /// What is known of it.
    pub inventory: Inventory,
    /// The edge gateway that speaks for it; `None` means any.
    pub gateway: Option<String>,
    /// For how long a gateway that has lost the KMS goes on for it, in whole seconds and at most
    /// 24 hours; `None` means an hour.
    pub offline_allowance: Option<Duration>,
}

/// Whether a device may communicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceState {
    /// It may.
    Active,
    /// It may not, for good.
    Revoked,
}

impl DeviceState {
    /// Tells the word that scripts see.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
        }
    }
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Unique.
    pub id: String,
    /// What is known of it; `None` where it is not told: in the answers of containment verbs, and
    /// to gateways that list devices.
    pub inventory: Option<Inventory>,
    /// Whether it may communicate.
    pub state: DeviceState,
    /// Its key, `device/<id>`.
    pub key_id: KeyId,
    /// The edge gateway that speaks for it; `None` means any.
    pub gateway: Option<String>,
    /// When it was enrolled, in milliseconds since 1970-01-01 UTC.
    pub enrolled_ms: u64,
    /// Previous revision plus one at each change.
    pub revision: u64,
    /// How far it is contained.
    pub containment: Containment,
    /// For how long a gateway that has lost the KMS goes on for it.
    pub offline_allowance: Duration,
}

pub(crate) fn inventory_to_wire(inventory: &Inventory) -> v1::Inventory {
    let inventory = inventory.clone();
    v1::Inventory {
        vendor: inventory.vendor,
        model: inventory.model,
        serial: inventory.serial,
        software_version: inventory.software_version,
        mac: inventory.mac,
        location: inventory.location,
        owner: inventory.owner,
        criticality: inventory.criticality,
        data_sensitivity: inventory.data_sensitivity,
    }
}

pub(crate) fn device_from_wire(device: Option<v1::Device>) -> Result<Device, Error> {
    let device = device.ok_or_else(|| malformed_answer("device"))?;
    let state = state_from_wire(device.state)?;
    Ok(Device {
        id: device.device_id,
        inventory: device.inventory.map(inventory_from_wire),
        state,
        key_id: id_from_wire("key id", &device.key_id)?,
        gateway: Some(device.gateway).filter(|gateway| !gateway.is_empty()),
        enrolled_ms: device.enrolled_ms,
        revision: device.revision,
        containment: containment_from_wire(device.containment)?,
        offline_allowance: Duration::from_secs(device.offline_allowance_s.into()),
    })
}

pub(crate) fn state_from_wire(state: i32) -> Result<DeviceState, Error> {
    match v1::DeviceState::try_from(state) {
        Ok(v1::DeviceState::Active) => Ok(DeviceState::Active),
        Ok(v1::DeviceState::Revoked) => Ok(DeviceState::Revoked),
        Ok(v1::DeviceState::Unspecified) | Err(_) => Err(malformed_answer("device state")),
    }
}

fn inventory_from_wire(inventory: v1::Inventory) -> Inventory {
    Inventory {
        vendor: inventory.vendor,
        model: inventory.model,
        serial: inventory.serial,
        software_version: inventory.software_version,
        mac: inventory.mac,
        location: inventory.location,
        owner: inventory.owner,
        criticality: inventory.criticality,
        data_sensitivity: inventory.data_sensitivity,
    }
}
