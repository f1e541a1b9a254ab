//! `ward device …`.

use clap::{Args, Subcommand};

use crate::route::DeviceName;

/// What to do with devices.
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceVerb {
    /// Enrol a device and make its key `device/ID`.
    Enroll(Box<EnrollArguments>),
    /// List all devices by id.
    List,
    /// Show one device.
    Describe(DeviceArguments),
}

/// Which device.
#[derive(Args, Debug)]
pub(crate) struct DeviceArguments {
    /// Its id: 1 to 64 of a-z 0-9 - . _
    #[arg(value_name = "ID")]
    pub(crate) id: DeviceName,
}

/// The device and what the inventory shall hold of it.
#[derive(Args, Debug)]
pub(crate) struct EnrollArguments {
    /// Its id: 1 to 64 of a-z 0-9 - . _
    #[arg(value_name = "ID")]
    pub(crate) id: DeviceName,
    /// Who built it.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) vendor: String,
    /// The model's name.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) model: String,
    /// The serial number.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) serial: String,
    /// The software version, as the vendor writes it.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) software_version: String,
    /// The MAC address, lower-case, colon-separated.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) mac: String,
    /// Ward, room, place.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) location: String,
    /// The department or person that answers for it.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) owner: String,
    /// How much harm its failure does: life-support, diagnostic, administrative.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) criticality: String,
    /// What it carries: patient-data, none.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) data_sensitivity: String,
    /// The edge gateway that speaks for it [default: any].
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) gateway: String,
}
