//! Metrics and the flow log, in one place, so that their names and labels stay few: no label has a
//! device, an address or a flow in it. Called all over the crate; shown by [`crate::ops`].

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use kms_client::model::ContainLevel;
use metrics::{counter, gauge};

use crate::capture::FlowInfo;
use crate::flow::{Ending, Report};
use crate::frame::Open;
use crate::ids::{DeviceId, ServiceName};
use crate::stack::Refusal;

/// A flow that is being carried.
pub(crate) struct FlowOpen(());

impl FlowOpen {
    pub(crate) fn new() -> Self {
        counter!("ward_flows_opened_total").increment(1);
        gauge!("ward_flows").increment(1);
        Self(())
    }

    /// Counts what came of it.
    pub(crate) fn ended(self, report: &Report) {
        flow_ended(&report.ending);
        counter!("ward_flow_bytes_total", "direction" => "to_tunnel").increment(report.sent);
        counter!("ward_flow_bytes_total", "direction" => "from_tunnel").increment(report.delivered);
    }
}

/// Counts how a flow ended, also one that was not opened any more.
pub(crate) fn flow_ended(how: &Ending) {
    counter!("ward_flows_ended_total", "ending" => ending(how)).increment(1);
    if let Ending::Cut(closed) = how {
        counter!("ward_flows_cut_total", "reason" => closed.as_str()).increment(1);
    }
}

impl Drop for FlowOpen {
    fn drop(&mut self) {
        gauge!("ward_flows").decrement(1);
    }
}

/// A core has a tunnel more.
pub(crate) fn tunnel_opened() {
    counter!("ward_tunnels_opened_total").increment(1);
    gauge!("ward_tunnels").increment(1);
}

/// A core has a tunnel less.
pub(crate) fn tunnel_closed() {
    gauge!("ward_tunnels").decrement(1);
}

/// A tunnel did not come about.
pub(crate) fn tunnel_refused(reason: &'static str) {
    counter!("ward_tunnels_refused_total", "reason" => reason).increment(1);
}

/// A flow was not carried.
pub(crate) fn flow_refused(reason: Refusal) {
    counter!("ward_flows_refused_total", "reason" => reason.as_str()).increment(1);
}

/// A DICOM device was told to try again.
pub(crate) fn association_rejected() {
    counter!("ward_associations_rejected_total").increment(1);
}

/// A device at level observe has opened or ended a flow: the event that level is for.
pub(crate) fn observed_flow(device: &DeviceId, service: &ServiceName, event: &'static str) {
    counter!("ward_observed_flows_total", "event" => event).increment(1);
    tracing::info!(%device, %service, event, "a flow of an observed device");
}

/// How many devices are at this level.
pub(crate) fn devices(level: ContainLevel, count: u32) {
    gauge!("ward_devices", "level" => level.as_str()).set(count);
}

/// How many lines of the log found no room so far.
pub(crate) fn log_lines_dropped(count: u64) {
    counter!("ward_log_lines_dropped_total").absolute(count);
}

/// What came of asking for a lease.
pub(crate) fn lease_asked(outcome: &'static str) {
    counter!("ward_leases_total", "outcome" => outcome).increment(1);
}

/// How long the lease still lasts; 0 when it is over and only offline allowances are left.
pub(crate) fn lease_left(left: Duration) {
    gauge!("ward_lease_seconds").set(left.as_secs_f64());
}

/// What came of acknowledging an order.
pub(crate) fn order_acknowledged(outcome: &'static str) {
    counter!("ward_containment_acknowledgements_total", "outcome" => outcome).increment(1);
}

/// The edge has used a tunnel for a flow.
pub(crate) fn tunnel_used(reused: bool) {
    let tunnel = if reused { "reused" } else { "fresh" };
    counter!("ward_tunnels_used_total", "tunnel" => tunnel).increment(1);
}

/// What came of asking a core whether it is there.
pub(crate) fn ping(outcome: &'static str) {
    counter!("ward_pings_total", "outcome" => outcome).increment(1);
}

/// Frames of flows that were over.
pub(crate) fn stale_frames(count: u64) {
    counter!("ward_stale_frames_total").increment(count);
}

/// The kernel refused to hand over a connection.
pub(crate) fn accept_failed() {
    counter!("ward_accept_failures_total").increment(1);
}

/// When the certificate that expires first does so, in ms since 1970.
pub(crate) fn certificate_expires(not_after_ms: u64) {
    gauge!("ward_certificate_expires_seconds").set(not_after_ms as f64 / 1000.0);
}

/// One line for each flow that ended.
pub(crate) fn log_flow(info: &FlowInfo, open: &Open, report: &Report) {
    tracing::info!(
        flow = %info.flow,
        device = %info.device,
        service = %info.service,
        protocol = %info.protocol,
        source = open.source.map(tracing::field::display),
        ending = ending(&report.ending),
        cause = cause(&report.ending).map(tracing::field::display),
        from_leg = report.sent,
        to_leg = report.delivered,
        "flow ended"
    );
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        // Writing to a String cannot fail.
        write!(text, ": {error}").unwrap_or_default();
        source = error.source();
    }
    text
}

fn ending(ending: &Ending) -> &'static str {
    match ending {
        Ending::Finished => "finished",
        Ending::Rejected { .. } => "rejected",
        Ending::LegLost(_) => "leg_reset",
        Ending::Aborted(_) => "peer_reset",
        Ending::TunnelLost(_) => "tunnel_lost",
        Ending::NoAnswer => "no_answer",
        Ending::Cut(_) => "cut",
    }
}

fn cause(ending: &Ending) -> Option<String> {
    match ending {
        Ending::Finished | Ending::NoAnswer => None,
        Ending::Rejected { reason, .. } | Ending::Aborted(reason) => Some(reason.clone()),
        Ending::LegLost(error) => Some(error.to_string()),
        Ending::Cut(closed) => Some(closed.as_str().to_owned()),
        Ending::TunnelLost(error) => Some(chain(error)),
    }
}
