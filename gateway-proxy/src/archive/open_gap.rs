//! A gap that may still grow: what one lane knows of the bytes that are missing at its position.
//! Written to the archive when it ends, and every so often before, so that a long one is seen.

use std::time::Instant;

use envelope::segment::{Entry, Gap, GapCause, Range, UNKNOWN_OFFSET};

use super::flow::side;
use super::lane::Bench;
use super::limits::GAP_REPORT;
use super::metrics;
use crate::capture::{Direction, FlowInfo};

/// The part of a gap that is not written yet.
pub(super) struct OpenGap {
    cause: GapCause,
    range: Range,
    from_ms: u64,
    reported: Instant,
}

impl OpenGap {
    /// Begins at offset `from`, without a byte yet.
    pub(super) fn begin(cause: GapCause, from: u64, bench: &Bench<'_>) -> Self {
        Self {
            cause,
            range: Range { from, to: from },
            from_ms: bench.now_ms,
            reported: bench.now,
        }
    }

    /// Whether bytes that are missing for `cause` from offset `from` on belong to it.
    pub(super) fn goes_on(&self, cause: GapCause, from: u64) -> bool {
        self.cause == cause && self.range.to == from
    }

    /// Takes the bytes up to offset `to`.
    pub(super) fn grow(&mut self, to: u64) {
        self.range.to = to;
    }

    /// The first offset that is not written.
    pub(super) fn begins(&self) -> u64 {
        self.range.from
    }

    /// When it is to be written although it goes on.
    pub(super) fn due(&self) -> Instant {
        self.reported + GAP_REPORT
    }

    /// Writes what it has grown to; it goes on behind that.
    pub(super) fn report(&mut self, info: &FlowInfo, direction: Direction, bench: &mut Bench<'_>) {
        self.reported = bench.now;
        if self.range.is_empty() {
            return;
        }
        let mut ranges = [Range::EMPTY; 2];
        ranges[side(direction)] = self.range;
        let to_ms = bench.now_ms.max(self.from_ms);
        let entry = Gap {
            cause: self.cause,
            from_ms: self.from_ms,
            to_ms,
            ranges,
            flows: 0,
            device: info.device.as_str().to_owned(),
        };
        bench.writer.append(&Entry::Gap(info.flow, entry));
        let is_known = self.range.to != UNKNOWN_OFFSET;
        let bytes = if is_known {
            self.range.to - self.range.from
        } else {
            0
        };
        metrics::gap(self.cause, bytes);
        self.range.from = self.range.to;
        self.from_ms = to_ms;
    }
}
