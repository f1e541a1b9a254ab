//! The seam between the byte path and the archive: pumps hand over what they have forwarded.
//! The archive implements it; the flow code calls it and knows nothing else of the archive.

use std::task::{Context, Poll};

use crate::ids::{DeviceId, FlowId, Protocol, ServiceName};

/// Which way bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the device to the service.
    ToService,
    /// From the service to the device.
    ToDevice,
}

/// What the archive is told about a flow before its first byte.
#[derive(Clone, Debug)]
pub struct FlowInfo {
    /// The flow's id, the same at the edge, at the core and in the archive.
    pub flow: FlowId,
    /// The device, as proven by its certificate.
    pub device: DeviceId,
    /// The protocol the service is configured for.
    pub protocol: Protocol,
    /// The service the flow goes to.
    pub service: ServiceName,
}

/// The two handles of one flow, one for each pump.
pub struct FlowTaps {
    /// Takes what was forwarded to the service.
    pub to_service: Box<dyn DirectionTap>,
    /// Takes what was forwarded to the device.
    pub to_device: Box<dyn DirectionTap>,
}

/// Something that keeps copies of flows. One lives as long as the core gateway and is shared by
/// every data thread.
pub trait CaptureSink: Send + Sync + 'static {
    /// A flow was opened: its upstream connection stands and no byte was forwarded yet.
    /// Must not block; a sink that is full records a gap instead.
    fn flow_opened(&self, flow: &FlowInfo) -> FlowTaps;

    /// A flow is over. `complete` is true when both directions ended with a FIN. Called once, after
    /// the last call to either tap.
    fn flow_closed(&self, flow: FlowId, complete: bool);
}

/// One direction of one flow, owned by its pump. A tap that is dropped without
/// [`finished`](Self::finished) was aborted.
pub trait DirectionTap: Send {
    /// Whether the pump may read more. A sink whose fail mode is to block answers `Pending` while
    /// its queue is full, which stops the flow by TCP's own flow control; every other sink is
    /// always ready.
    fn poll_room(&mut self, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Copies bytes that were already forwarded. Never waits: when there is no room, the tap
    /// records a gap.
    fn record(&mut self, bytes: &[u8]);

    /// This direction ended with a FIN, after everything was forwarded.
    fn finished(&mut self);

    /// This direction ended with a reset, or can no longer be trusted to be whole.
    fn aborted(&mut self);
}

/// The sink of an edge, and of a core whose archive is off.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCapture;

impl CaptureSink for NoCapture {
    fn flow_opened(&self, _flow: &FlowInfo) -> FlowTaps {
        FlowTaps {
            to_service: Box::new(Self),
            to_device: Box::new(Self),
        }
    }

    fn flow_closed(&self, _flow: FlowId, _complete: bool) {}
}

impl DirectionTap for NoCapture {
    fn record(&mut self, _bytes: &[u8]) {}
    fn finished(&mut self) {}
    fn aborted(&mut self) {}
}
