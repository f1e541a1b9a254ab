//! What the archive counts; the metrics page of the gateway shows it.

use std::time::Duration;

use envelope::segment::GapCause;
use metrics::{counter, gauge, histogram};

use crate::observe::Oddities;

/// An object was sealed.
pub(super) fn object(bytes: u64) {
    counter!("ward_archive_objects_total").increment(1);
    counter!("ward_archive_object_bytes_total").increment(bytes);
}

/// A gap was recorded; the length is 0 where nobody knows it.
pub(super) fn gap(cause: GapCause, bytes: u64) {
    let cause = match cause {
        GapCause::QueueFull => "queue_full",
        GapCause::NoDataKey => "no_data_key",
        GapCause::Storage => "storage",
        GapCause::UncleanStop => "unclean_stop",
        GapCause::Shutdown => "shutdown",
    };
    counter!("ward_archive_gaps_total", "cause" => cause).increment(1);
    counter!("ward_archive_gap_bytes_total", "cause" => cause).increment(bytes);
}

/// Bytes found no room in the queue.
pub(super) fn dropped(bytes: usize) {
    counter!("ward_archive_dropped_bytes_total").increment(bytes as u64);
}

/// A flow found no room in the queue.
pub(super) fn flow_missed() {
    counter!("ward_archive_missed_flows_total").increment(1);
}

/// A group commit became durable.
pub(super) fn commit(bytes: usize, took: Duration) {
    counter!("ward_archive_commits_total").increment(1);
    counter!("ward_archive_written_bytes_total").increment(bytes as u64);
    histogram!("ward_archive_commit_seconds").record(took.as_secs_f64());
}

/// Whether the disk takes what is written.
pub(super) fn stalled(stalled: bool) {
    gauge!("ward_archive_stalled").set(if stalled { 1.0 } else { 0.0 });
}

/// Bytes that wait in the queue.
pub(super) fn waiting(bytes: usize) {
    gauge!("ward_archive_queue_bytes").set(bytes as f64);
}

/// What an observer has seen since it was asked last.
pub(super) fn oddities(before: Oddities, now: Oddities) {
    if now != before {
        let framing = u64::from(now.framing.saturating_sub(before.framing));
        counter!("ward_observe_framing_errors_total").increment(framing);
        let degraded = u64::from(now.degraded.saturating_sub(before.degraded));
        counter!("ward_observe_degraded_total").increment(degraded);
    }
}
