//! `ward device …`.

use std::time::Duration;

use kms_client::model::{ContainLevel, Device, Inventory, NewDevice};
use serde::Serialize;

use super::{client, contain};
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
        DeviceVerb::Describe(device) => {
            let report = contain::describe(&client, device.id.as_str()).await?;
            return answer(global.format(), &report);
        }
        DeviceVerb::Contain(arguments) => {
            let report = contain::contain(global, &client, arguments).await?;
            return answer(global.format(), &report);
        }
        DeviceVerb::Revoke(arguments) => {
            let device_id = arguments.device.id.as_str();
            let report = contain::revoke(&client, device_id, &arguments.order).await?;
            return answer(global.format(), &report);
        }
        DeviceVerb::Enroll(device) => client.enroll_device(&new_device(*device)).await?,
        DeviceVerb::Release(device) => client.release_device(device.id.as_str()).await?,
        DeviceVerb::Allowance(arguments) => {
            let allowance = Duration::from_secs(arguments.seconds.into());
            let device_id = arguments.device.id.as_str();
            client.set_offline_allowance(device_id, allowance).await?
        }
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
        offline_allowance: arguments
            .offline_allowance
            .map(|seconds| Duration::from_secs(seconds.into())),
    }
}

/// A device, as shown.
#[derive(Serialize)]
pub(super) struct DeviceView {
    device_id: String,
    state: &'static str,
    key: String,
    key_id: String,
    gateway: String,
    enrolled: String,
    /// Where it is told.
    #[serde(flatten)]
    inventory: Option<InventoryView>,
    offline_allowance_s: u64,
    containment: OrderView,
}

/// What is known of a device, as shown.
#[derive(Serialize)]
struct InventoryView {
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

/// The order that stands for a device, as shown.
#[derive(Serialize)]
struct OrderView {
    level: &'static str,
    services: Vec<String>,
    epoch: u64,
    /// Empty when nothing was ever ordered.
    ordered: String,
    by: String,
    case_id: String,
}

/// Devices, as shown: one JSON array.
#[derive(Serialize)]
#[serde(transparent)]
struct DeviceList(Vec<DeviceView>);

impl From<Inventory> for InventoryView {
    fn from(inventory: Inventory) -> Self {
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
        } = inventory;
        Self {
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

impl From<Device> for DeviceView {
    fn from(device: Device) -> Self {
        let order = device.containment;
        let ordered = Some(order.ordered_ms).filter(|ms| *ms > 0);
        let containment = OrderView {
            level: order.level.as_str(),
            services: order.services,
            epoch: order.epoch,
            ordered: ordered.map(time).unwrap_or_default(),
            by: order.by,
            case_id: order.case_id,
        };
        Self {
            offline_allowance_s: device.offline_allowance.as_secs(),
            containment,
            state: device.state.as_str(),
            key: format!("device/{}", device.id),
            key_id: device.key_id.to_string(),
            gateway: device.gateway.unwrap_or_default(),
            enrolled: time(device.enrolled_ms),
            device_id: device.id,
            inventory: device.inventory.map(InventoryView::from),
        }
    }
}

impl InventoryView {
    fn rows(&self) -> [(&'static str, &str); 9] {
        [
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

impl DeviceView {
    fn rows(&self) -> Vec<(&'static str, &str)> {
        let mut rows: Vec<(&str, &str)> = vec![
            ("device", &self.device_id),
            ("state", self.state),
            ("key", &self.key),
            ("key id", &self.key_id),
            ("gateway", &self.gateway),
            ("enrolled", &self.enrolled),
        ];
        if let Some(inventory) = &self.inventory {
            rows.extend(inventory.rows());
        }
        rows
    }

    /// Whether an order stands.
    pub(super) fn is_contained(&self) -> bool {
        self.containment.level != ContainLevel::None.as_str()
    }

    fn order_rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = vec![(
            "offline allowance",
            format!("{} s", self.offline_allowance_s),
        )];
        if self.is_contained() {
            let order = &self.containment;
            rows.push(("contained", order.level.to_owned()));
            rows.push(("services", order.services.join(", ")));
            rows.push(("ordered", order.ordered.clone()));
            rows.push(("by", order.by.clone()));
            rows.push(("case", order.case_id.clone()));
        }
        rows
    }
}

impl Answer for DeviceView {
    fn text(&self) -> String {
        let rows = self.rows().into_iter();
        let rows = rows.map(|(name, value)| (name, value.to_owned()));
        let known = rows
            .chain(self.order_rows())
            .filter(|(_, value)| !value.is_empty());
        known
            .map(|(name, value)| format!("{name:<17} {value}\n"))
            .collect()
    }
}

impl Answer for DeviceList {
    fn text(&self) -> String {
        let mut table = Table::new(&[
            "DEVICE",
            "STATE",
            "CONTAINED",
            "VENDOR",
            "MODEL",
            "GATEWAY",
            "ENROLLED",
        ]);
        for device in &self.0 {
            let known = |field: fn(&InventoryView) -> &String| {
                device
                    .inventory
                    .as_ref()
                    .map(field)
                    .cloned()
                    .unwrap_or_default()
            };
            table.row([
                device.device_id.clone(),
                device.state.to_owned(),
                device.containment.level.to_owned(),
                known(|inventory| &inventory.vendor),
                known(|inventory| &inventory.model),
                device.gateway.clone(),
                device.enrolled.clone(),
            ]);
        }
        table.text()
    }
}
