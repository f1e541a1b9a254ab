//! The archive as the flow code sees it: taps that put what was forwarded into the capture queue.

use std::sync::Arc;

use envelope::id::FlowId;

use super::keys::DataKeys;
use super::limits::PIECE_BYTES_MAX;
use super::metrics;
use super::queue::Inlet;
use crate::capture::{CaptureSink, Direction, DirectionTap, FlowInfo, FlowTaps, NoCapture};

/// Hands flows to the archive's thread.
pub(super) struct Sink {
    inlet: Arc<Inlet>,
    keys: Arc<dyn DataKeys>,
}

/// One direction of one flow.
struct Tap {
    inlet: Arc<Inlet>,
    flow: FlowId,
    direction: Direction,
    /// Bytes forwarded so far.
    offset: u64,
    ended: bool,
}

impl Sink {
    pub(super) fn new(inlet: Arc<Inlet>, keys: Arc<dyn DataKeys>) -> Self {
        Self { inlet, keys }
    }

    fn tap(&self, info: &FlowInfo, direction: Direction) -> Box<dyn DirectionTap> {
        let inlet = self.inlet.clone();
        Box::new(Tap {
            inlet,
            flow: info.flow,
            direction,
            offset: 0,
            ended: false,
        })
    }
}

impl CaptureSink for Sink {
    fn flow_opened(&self, info: &FlowInfo) -> FlowTaps {
        self.keys.wanted(&info.device);
        if !self.inlet.open(info, sys::clock::wall_ms()) {
            metrics::flow_missed();
            return FlowTaps {
                to_service: Box::new(NoCapture),
                to_device: Box::new(NoCapture),
            };
        }
        let to_service = self.tap(info, Direction::ToService);
        let to_device = self.tap(info, Direction::ToDevice);
        FlowTaps {
            to_service,
            to_device,
        }
    }

    fn flow_closed(&self, flow: FlowId, complete: bool) {
        self.inlet.closed(flow, complete, sys::clock::wall_ms());
    }
}

impl Tap {
    fn end(&mut self, finished: bool) {
        if !std::mem::replace(&mut self.ended, true) {
            self.inlet
                .ended(self.flow, self.direction, self.offset, finished);
        }
    }
}

impl DirectionTap for Tap {
    fn record(&mut self, bytes: &[u8]) {
        let at_ms = sys::clock::wall_ms();
        for piece in bytes.chunks(PIECE_BYTES_MAX) {
            if !self
                .inlet
                .record(self.flow, self.direction, self.offset, at_ms, piece)
            {
                metrics::dropped(piece.len());
            }
            self.offset += piece.len() as u64;
        }
    }

    fn finished(&mut self) {
        self.end(true);
    }

    fn aborted(&mut self) {
        self.end(false);
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.end(false);
    }
}
