//! `ward archive gaps`: what was forwarded and is not in the archive. Needs no KMS.

use envelope::segment::{GapCause, Range, UNKNOWN_OFFSET};
use kms_client::archive::GapInfo;
use serde::Serialize;

use super::archive;
use crate::cli::Global;
use crate::error::Failure;
use crate::output::{Format, json_lines, text_lines};
use crate::text::time;

/// Lists the gaps, in the order they were recorded.
pub(super) fn run(global: &Global) -> Result<(), Failure> {
    let gaps = archive(global)?.gaps()?.map(|gap| Ok(GapView::from(gap?)));
    match global.format_of_lists() {
        Format::Json => json_lines(gaps),
        Format::Text => text_lines(HEADING, gaps.map(|gap| Ok(gap?.line()))),
    }
}

/// A gap, as shown.
#[derive(Serialize)]
struct GapView {
    device: String,
    /// Null when whole flows are missing.
    flow: Option<String>,
    flows: u32,
    cause: &'static str,
    from: String,
    to: String,
    to_service: Option<RangeView>,
    to_device: Option<RangeView>,
}

/// The missing bytes of one direction: stream offsets; no `to` means up to the end.
#[derive(Serialize)]
struct RangeView {
    from: u64,
    to: Option<u64>,
}

impl From<GapInfo> for GapView {
    fn from(GapInfo { flow, gap }: GapInfo) -> Self {
        let whole_flows = flow.as_bytes().iter().all(|byte| *byte == 0);
        let [to_service, to_device] = gap.ranges.map(range);
        Self {
            device: gap.device,
            flow: (!whole_flows).then(|| flow.to_string()),
            flows: gap.flows,
            cause: word(gap.cause),
            from: time(gap.from_ms),
            to: time(gap.to_ms),
            to_service,
            to_device,
        }
    }
}

fn range(range: Range) -> Option<RangeView> {
    let known = range.to != UNKNOWN_OFFSET;
    (!range.is_empty()).then(|| RangeView {
        from: range.from,
        to: known.then_some(range.to),
    })
}

fn word(cause: GapCause) -> &'static str {
    match cause {
        GapCause::QueueFull => "queue-full",
        GapCause::NoDataKey => "no-data-key",
        GapCause::Storage => "storage",
        GapCause::UncleanStop => "unclean-stop",
        GapCause::Shutdown => "shutdown",
    }
}

impl GapView {
    /// One line for people; written as it comes, so the widths are guessed.
    fn line(&self) -> String {
        let flow = self.flow.as_deref().unwrap_or("whole flows");
        format!(
            "{}  {}  {:<16} {:<12} {flow}",
            self.from, self.to, self.device, self.cause
        )
    }
}

const HEADING: &str = "FROM                      TO                        DEVICE           \
                       CAUSE        FLOW";
