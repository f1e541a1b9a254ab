//! What rewrapping counts; the metrics page of the gateway shows it.

use kms_client::reason::Reason;
use metrics::{counter, gauge};

/// Data keys were moved to a newer version.
pub(super) fn moved(count: usize) {
    counter!("ward_rewrap_moved_total").increment(count as u64);
}

/// Data keys could not be moved, or a job stands still.
pub(super) fn refused(reason: Reason) {
    counter!("ward_rewrap_refused_total", "reason" => reason.as_str()).increment(1);
}

/// Data keys that jobs have still to move here.
pub(super) fn left(count: u64) {
    gauge!("ward_rewrap_left").set(count as f64);
}

/// Side-cars that cannot be read.
pub(super) fn damaged(count: u32) {
    gauge!("ward_archive_side_cars_damaged").set(f64::from(count));
}
