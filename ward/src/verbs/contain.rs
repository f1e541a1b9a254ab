//! `ward device contain`, `revoke`, and what `describe` tells of an order that is under way.

use std::time::Duration;

use kms_client::Client;
use kms_client::model::{ContainLevel, ContainOrder, ContainmentReport, Device, PendingGateway};
use serde::Serialize;

use super::device::DeviceView;
use super::known_services;
use crate::cli::{ContainArguments, Global, Level, OrderArguments};
use crate::error::Failure;
use crate::output::{Answer, say};

/// Contains a device, and waits as long as was asked.
pub(super) async fn contain(
    global: &Global,
    client: &Client,
    arguments: ContainArguments,
) -> Result<ReportView, Failure> {
    let device_id = arguments.device.id.as_str();
    known_services::check(global, device_id, &arguments.service)?;
    let order = ContainOrder {
        level: match arguments.level {
            Level::Observe => ContainLevel::Observe,
            Level::Restrict => ContainLevel::Restrict,
            Level::Isolate => ContainLevel::Isolate,
            Level::Revoke => ContainLevel::Revoke,
        },
        services: arguments.service,
        case_id: case(&arguments.order),
    };
    let report = client.contain_device(device_id, &order).await?;
    waited(client, report, arguments.order.wait).await
}

/// Revokes a device, and waits as long as was asked.
pub(super) async fn revoke(
    client: &Client,
    device_id: &str,
    order: &OrderArguments,
) -> Result<ReportView, Failure> {
    let report = client
        .revoke_device(device_id, case(order).as_deref())
        .await?;
    waited(client, report, order.wait).await
}

/// Describes a device, and how far its order is carried out where the leader can be asked.
pub(super) async fn describe(client: &Client, device_id: &str) -> Result<ReportView, Failure> {
    let device = client.describe_device(device_id).await?;
    if device.containment.settled || device.containment.level == ContainLevel::None {
        return Ok(ReportView::new(device, Some(true), Vec::new()));
    }
    let asked = client.describe_containment(device_id, Duration::ZERO);
    match asked.await {
        Ok(report) => Ok(ReportView::from(report)),
        Err(error) => {
            say(format!(
                "how far the order is carried out only the leader tells: {error}"
            ));
            Ok(ReportView::new(device, None, Vec::new()))
        }
    }
}

fn case(order: &OrderArguments) -> Option<String> {
    Some(order.case.clone()).filter(|case| !case.is_empty())
}

/// Asks on until the order is complete or `wait_s` are over; the order stands in any case.
async fn waited(
    client: &Client,
    mut report: ContainmentReport,
    wait_s: Option<u32>,
) -> Result<ReportView, Failure> {
    let end =
        sys::clock::monotonic() + Duration::from_secs(wait_s.map_or(0, |wait_s| wait_s.into()));
    loop {
        let left = end.saturating_duration_since(sys::clock::monotonic());
        if report.is_complete() || left.is_zero() {
            return Ok(report.into());
        }
        let device_id = report.device.id.clone();
        report = client.describe_containment(&device_id, left).await?;
    }
}

/// A device with the order that stands, as shown.
#[derive(Serialize)]
pub(super) struct ReportView {
    #[serde(flatten)]
    device: DeviceView,
    /// None when no order stands.
    #[serde(flatten)]
    progress: Option<ProgressView>,
}

/// How far an order is carried out, as shown.
#[derive(Serialize)]
struct ProgressView {
    /// Whether every gateway carried the order out or can forward no longer; null when the leader
    /// was not reached.
    complete: Option<bool>,
    pending: Vec<PendingView>,
}

/// A gateway that is waited for, as shown.
#[derive(Serialize)]
struct PendingView {
    gateway: String,
    remaining_ms: u64,
}

impl ReportView {
    fn new(device: Device, complete: Option<bool>, waits_for: Vec<PendingGateway>) -> Self {
        let device = DeviceView::from(device);
        let pending = waits_for.into_iter().map(|gateway| PendingView {
            gateway: gateway.gateway_id,
            remaining_ms: u64::try_from(gateway.remaining.as_millis()).unwrap_or(u64::MAX),
        });
        let pending = pending.collect();
        Self {
            progress: device
                .is_contained()
                .then_some(ProgressView { complete, pending }),
            device,
        }
    }
}

impl From<ContainmentReport> for ReportView {
    fn from(report: ContainmentReport) -> Self {
        let complete = Some(report.is_complete());
        Self::new(report.device, complete, report.pending)
    }
}

impl Answer for ReportView {
    fn text(&self) -> String {
        let mut text = self.device.text();
        let Some(progress) = &self.progress else {
            return text;
        };
        text.push_str(match progress.complete {
            Some(true) => "order             complete: no gateway acts against it\n",
            Some(false) => "order             pending\n",
            None => "order             stands; how far it is, is not known\n",
        });
        for gateway in &progress.pending {
            let seconds = gateway.remaining_ms.div_ceil(1000);
            let line = format!(
                "waits for         {}, at most {seconds} s more\n",
                gateway.gateway
            );
            text.push_str(&line);
        }
        text
    }
}
