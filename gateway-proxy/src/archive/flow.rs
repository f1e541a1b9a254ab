//! One flow in the archive: its two lanes and its end. Owned by the archive's thread.

use std::sync::Arc;
use std::time::Instant;

use envelope::segment::{CloseCause, Entry, FlowClosed, FlowOpened, SideCarKey};

use super::lane::{Bench, Lane};
use crate::capture::{Direction, FlowInfo};

/// A flow from its first byte until its end is written.
pub(super) struct Flow {
    info: FlowInfo,
    lanes: [Lane; 2],
    closing: Option<Closing>,
}

struct Closing {
    complete: bool,
    at_ms: u64,
}

/// The place of a direction in the pairs of the segment format.
pub(super) fn side(direction: Direction) -> usize {
    match direction {
        Direction::ToService => 0,
        Direction::ToDevice => 1,
    }
}

impl Flow {
    /// Begins a flow and writes that it did.
    pub(super) fn open(info: FlowInfo, at_ms: u64, bench: &mut Bench<'_>) -> Self {
        let lanes = [Direction::ToService, Direction::ToDevice]
            .map(|direction| Lane::new(&info, direction, bench.now));
        let flow = Self {
            info,
            lanes,
            closing: None,
        };
        let opened = FlowOpened {
            carried: false,
            ..flow.carried(at_ms)
        };
        bench
            .writer
            .append(&Entry::FlowOpened(flow.info.flow, opened));
        flow
    }

    pub(super) fn info(&self) -> &FlowInfo {
        &self.info
    }

    pub(super) fn lane(&mut self, direction: Direction) -> (&FlowInfo, &mut Lane) {
        (&self.info, &mut self.lanes[side(direction)])
    }

    /// Both directions have ended, or never will.
    pub(super) fn close(&mut self, complete: bool, at_ms: u64) {
        self.closing = Some(Closing { complete, at_ms });
    }

    /// Writes the flow's end once everything before is written; `true` when it is over.
    pub(super) fn try_finish(&mut self, bench: &mut Bench<'_>) -> bool {
        let Some(closing) = &self.closing else {
            return false;
        };
        if !self.lanes.iter().all(Lane::is_done) {
            return false;
        }
        let cause = if closing.complete {
            CloseCause::Finished
        } else {
            CloseCause::Aborted
        };
        self.write_end(cause, closing.at_ms, bench);
        true
    }

    /// Ends a flow that is still open when the gateway stops.
    pub(super) fn stop(&mut self, bench: &mut Bench<'_>) {
        for lane in &mut self.lanes {
            lane.stop(&self.info, bench);
        }
        if self.try_finish(bench) {
            return;
        }
        self.write_end(CloseCause::Lost, bench.now_ms, bench);
    }

    /// How the flow stands, for a new segment.
    pub(super) fn carried(&self, at_ms: u64) -> FlowOpened {
        let covered = self.lanes.each_ref().map(|lane| lane.covered().0);
        let begun = |lane: &Lane| Some(lane.covered().1.filter(|open| open.is_begun())?.id());
        FlowOpened {
            carried: true,
            at_ms,
            covered,
            open: self.lanes.each_ref().map(begun),
            device: self.info.device.as_str().to_owned(),
            protocol: self.info.protocol.as_str().to_owned(),
            service: self.info.service.as_str().to_owned(),
        }
    }

    /// The data keys of the objects that are open.
    pub(super) fn keys(&self) -> impl Iterator<Item = Arc<SideCarKey>> {
        self.lanes
            .iter()
            .filter_map(|lane| Some(lane.covered().1?.wrapped().clone()))
    }

    /// When a lane is to be looked at although nothing comes, if no timer of it runs.
    pub(super) fn arm(&mut self, direction: Direction) -> Option<Instant> {
        let lane = &mut self.lanes[side(direction)];
        if lane.timer {
            return None;
        }
        let deadline = lane.deadline()?;
        lane.timer = true;
        Some(deadline)
    }

    fn write_end(&self, cause: CloseCause, at_ms: u64, bench: &mut Bench<'_>) {
        let bytes = self.lanes.each_ref().map(Lane::position);
        let closed = FlowClosed {
            at_ms,
            cause,
            bytes,
        };
        bench
            .writer
            .append(&Entry::FlowClosed(self.info.flow, closed));
    }
}
