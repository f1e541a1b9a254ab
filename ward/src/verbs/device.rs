//! `ward device …`.

use kms_client::model::{Device, Inventory, NewDevice};
use serde::Serialize;

use super::client;
use crate::cli::{DeviceVerb, Global, NewDeviceArguments};
use crate::error::Failure;
use crate::output::{Answer, answer};
use crate::text::{Table, time};

/// Does what was typed after `ward device`.
pub(super) async fn run(global: &Global, verb: DeviceVerb) -> Result<(), Failure> {
    let client = client(global)?;
    let device = match verb {
        DeviceVerb::List => {
            let devices = client.list_devices().await?;
            let devices = DeviceList(devices.into_iter().map(DeviceView::from).collect());
            return answer(global.format(), &devices);
        }
        DeviceVerb::Describe(device) => client.describe_device(device.id.as_str()).await?,
        DeviceVerb::Enroll(device) => client.enroll_device(&new_device(*device)).await?,
    };
    answer(global.format(), &DeviceView::from(device))
}

fn new_device(arguments: NewDeviceArguments) -> NewDevice {
    NewDevice {
        id: arguments.id.to_string(),
        inventory: Inventory {
            vendor: arguments.vendor,
            model: arguments.model,
            serial: arguments.serial,
            software_version: arguments.software_version,
            mac: arguments.mac,
            location: arguments.location,
            owner: arguments.owner,
            criticality: arguments.criticality,
            data_sensitivity: arguments.data_sensitivity,
        },
        gateway: Some(arguments.gateway).filter(|gateway| !gateway.is_empty()),
    }
}

/// A device, as shown.
#[derive(Serialize)]
struct DeviceView {
    device_id: String,
    state: &'static str,
    key: String,
    key_id: String,
    gateway: String,
    enrolled: String,
    vendor: String,
    model: String,
    serial: String,
    software_version: String,
    mac: String,
    location: String,
    owner: String,
    criticality: String,
    data_sensitivity: String,
}

/// Devices, as shown: one JSON array.
#[derive(Serialize)]
#[serde(transparent)]
struct DeviceList(Vec<DeviceView>);

impl From<Device> for DeviceView {
    fn from(device: Device) -> Self {
        let Inventory {
            vendor,
            model,
            serial,
            software_version,
            mac,
            location,
            owner,
            criticality,
            data_sensitivity,
        } = device.inventory;
        Self {
            state: device.state.as_str(),
            key: format!("device/{}", device.id),
            key_id: device.key_id.to_string(),
            gateway: device.gateway.unwrap_or_default(),
            enrolled: time(device.enrolled_ms),
            device_id: device.id,
            vendor,
            model,
            serial,
            software_version,
            mac,
            location,
            owner,
            criticality,
            data_sensitivity,
        }
    }
}

impl DeviceView {
    fn rows(&self) -> [(&'static str, &str); 15] {
        [
            ("device", &self.device_id),
            ("state", self.state),
            ("key", &self.key),
            ("key id", &self.key_id),
            ("gateway", &self.gateway),
            ("enrolled", &self.enrolled),
            ("vendor", &self.vendor),
            ("model", &self.model),
            ("serial", &self.serial),
            ("software version", &self.software_version),
            ("mac", &self.mac),
            ("location", &self.location),
            ("owner", &self.owner),
            ("criticality", &self.criticality),
            ("data sensitivity", &self.data_sensitivity),
        ]
    }
}

impl Answer for DeviceView {
    fn text(&self) -> String {
        let known = self
            .rows()
            .into_iter()
            .filter(|(_, value)| !value.is_empty());
        known
            .map(|(name, value)| format!("{name:<17} {value}\n"))
            .collect()
    }
}

impl Answer for DeviceList {
    fn text(&self) -> String {
        let mut table = Table::new(&["DEVICE", "STATE", "VENDOR", "MODEL", "GATEWAY", "ENROLLED"]);
        for device in &self.0 {
            table.row([
                device.device_id.clone(),
                device.state.to_owned(),
                device.vendor.clone(),
                device.model.clone(),
                device.gateway.clone(),
                device.enrolled.clone(),
            ]);
        }
        table.text()
    }
}
