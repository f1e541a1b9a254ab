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
    /// Show one device, and how far an order for it is carried out.
    Describe(DeviceArguments),
    /// Order how far a device is contained, in place of the order that stood.
    Contain(ContainArguments),
    /// End the order that stands for a device.
    Release(DeviceArguments),
    /// Revoke a device for good: flows, identity and new data keys; its archive stays readable.
    Revoke(RevokeArguments),
    /// Set for how long gateways that have lost the KMS go on for a device.
    Allowance(AllowanceArguments),
}

impl DeviceVerb {
    /// What one argument alone does not show to be wrong.
    pub(super) fn contradiction(&self) -> Option<String> {
        let Self::Contain(contain) = self else {
            return None;
        };
        match (contain.level == Level::Restrict, contain.service.is_empty()) {
            (true, true) => Some(
                "--level restrict needs a --service that stays open; to close all, isolate"
                    .to_owned(),
            ),
            (false, false) => Some("--service goes with --level restrict alone".to_owned()),
            (true, false) | (false, true) => None,
        }
    }
}

/// Which device, how far, why.
#[derive(Args, Debug)]
pub(crate) struct ContainArguments {
    #[command(flatten)]
    pub(crate) device: DeviceArguments,
    /// How far: report its flows, keep only some, cut all, or cut all for good.
    #[arg(long, value_name = "LEVEL", value_enum)]
    pub(crate) level: Level,
    /// With --level restrict: a service that its flows may still reach; several are allowed.
    #[arg(long, value_name = "SERVICE")]
    pub(crate) service: Vec<String>,
    #[command(flatten)]
    pub(crate) order: OrderArguments,
}

/// Which device, why.
#[derive(Args, Debug)]
pub(crate) struct RevokeArguments {
    #[command(flatten)]
    pub(crate) device: DeviceArguments,
    #[command(flatten)]
    pub(crate) order: OrderArguments,
}

/// What goes with an order.
#[derive(Args, Debug)]
pub(crate) struct OrderArguments {
    /// The case it belongs to, as your incident tool names it.
    #[arg(
        long,
        value_name = "CASE",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) case: String,
    /// Wait until every gateway carried it out or can forward no longer, so many seconds at most
    /// [default when given without: 10].
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "10",
        value_parser = clap::value_parser!(u32).range(1..=100_000)
    )]
    pub(crate) wait: Option<u32>,
}

/// Which device, how long.
#[derive(Args, Debug)]
pub(crate) struct AllowanceArguments {
    #[command(flatten)]
    pub(crate) device: DeviceArguments,
    /// Seconds, 0 (nothing without the KMS) to 86400 (a day).
    #[arg(value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub(crate) seconds: u32,
}

/// How far a device is contained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Level {
    /// Its flows go on; gateways report each of them.
    Observe,
    /// Only flows to the services named go on.
    Restrict,
    /// No flow goes on, until it is released.
    Isolate,
    /// No flow goes on, for good.
    Revoke,
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
    /// For how long gateways that have lost the KMS go on for it, in seconds: 0 to 86400
    /// [default: 3600].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub(crate) offline_allowance: Option<u32>,
}
