//! The capture queue: from the data threads to the archive's thread, bounded by bytes and count.
//!
//! Recording copies the bytes and makes no system call. What finds no room is dropped; every piece
//! carries its offset, so that the archive's thread sees the hole and records a gap.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::Thread;

use envelope::id::FlowId;
use tokio::sync::oneshot;

use super::limits::{QUEUE_FLOWS_MAX, QUEUE_PIECES_MAX, QUEUE_WAKE_BYTES};
use super::metrics;
use crate::capture::{Direction, FlowInfo};
use crate::ids::DeviceId;

/// What happened to a flow, in order.
pub(super) enum Event {
    Opened {
        info: FlowInfo,
        at_ms: u64,
    },
    Piece(Piece),
    /// A direction ended at this offset.
    Ended {
        flow: FlowId,
        direction: Direction,
        offset: u64,
        finished: bool,
    },
    /// After both directions ended.
    Closed {
        flow: FlowId,
        complete: bool,
        at_ms: u64,
    },
    /// Answered when everything before it is durable.
    Flush(oneshot::Sender<()>),
    /// The segment that is written is to be followed by another.
    EndSegment,
}

/// Bytes of one direction; its room in the queue is given back when it is dropped.
pub(super) struct Piece {
    pub(super) flow: FlowId,
    pub(super) direction: Direction,
    pub(super) offset: u64,
    pub(super) at_ms: u64,
    bytes: Box<[u8]>,
    budget: Arc<Budget>,
}

/// Flows of one device of which nothing was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missed {
    pub(super) flows: u32,
    pub(super) from_ms: u64,
    pub(super) to_ms: u64,
}

/// The data threads' end.
pub(super) struct Inlet {
    events: Sender<Event>,
    shared: Arc<Shared>,
}

/// The archive thread's end.
pub(super) struct Outlet {
    events: Receiver<Event>,
    shared: Arc<Shared>,
}

struct Shared {
    budget: Arc<Budget>,
    flows: AtomicUsize,
    /// Flows whose end is still to come. Bounded by [`QUEUE_FLOWS_MAX`].
    live: Mutex<HashSet<FlowId>>,
    /// One for each device that a flow was missed of.
    missed: Mutex<BTreeMap<DeviceId, Missed>>,
    stopping: AtomicBool,
    /// Whether it was said that nobody takes events any more.
    abandoned: AtomicBool,
    reader: OnceLock<Thread>,
}

struct Budget {
    bytes: AtomicUsize,
    pieces: AtomicUsize,
    bytes_max: usize,
}

/// Makes a queue for at most `bytes_max` bytes of payload.
pub(super) fn queue(bytes_max: usize) -> (Inlet, Outlet) {
    let (sender, events) = channel();
    let budget = Budget {
        bytes: AtomicUsize::new(0),
        pieces: AtomicUsize::new(0),
        bytes_max,
    };
    let shared = Arc::new(Shared {
        budget: Arc::new(budget),
        flows: AtomicUsize::new(0),
        live: Mutex::default(),
        missed: Mutex::default(),
        stopping: AtomicBool::new(false),
        abandoned: AtomicBool::new(false),
        reader: OnceLock::new(),
    });
    (
        Inlet {
            events: sender,
            shared: shared.clone(),
        },
        Outlet { events, shared },
    )
}

impl Inlet {
    /// Lets a flow in. `false` when there is no room for another or its id is in use; its device is
    /// then noted.
    pub(super) fn open(&self, info: &FlowInfo, at_ms: u64) -> bool {
        let opened = || Event::Opened {
            info: info.clone(),
            at_ms,
        };
        let admitted = self.shared.flows.fetch_add(1, Ordering::Relaxed) < QUEUE_FLOWS_MAX
            && lock(&self.shared.live).insert(info.flow)
            && self.send(opened());
        if admitted {
            self.wake();
        } else {
            self.shared.flows.fetch_sub(1, Ordering::Relaxed);
            let mut missed = lock(&self.shared.missed);
            let first = Missed {
                flows: 0,
                from_ms: at_ms,
                to_ms: at_ms,
            };
            let of_device = missed.entry(info.device.clone()).or_insert(first);
            of_device.flows = of_device.flows.saturating_add(1);
            of_device.to_ms = at_ms;
        }
        admitted
    }

    /// Copies bytes into the queue; `false` when there is no room for them, or nobody takes them.
    pub(super) fn record(
        &self,
        flow: FlowId,
        direction: Direction,
        offset: u64,
        at_ms: u64,
        bytes: &[u8],
    ) -> bool {
        let budget = &self.shared.budget;
        let Some(waiting) = budget.take(bytes.len()) else {
            return false;
        };
        let (bytes, budget) = (bytes.into(), budget.clone());
        let sent = self.send(Event::Piece(Piece {
            flow,
            direction,
            offset,
            at_ms,
            bytes,
            budget,
        }));
        if waiting >= QUEUE_WAKE_BYTES {
            self.wake();
        }
        sent
    }

    pub(super) fn ended(&self, flow: FlowId, direction: Direction, offset: u64, finished: bool) {
        self.send(Event::Ended {
            flow,
            direction,
            offset,
            finished,
        });
    }

    pub(super) fn closed(&self, flow: FlowId, complete: bool, at_ms: u64) {
        // Of a flow that was not let in there is nothing to close.
        if lock(&self.shared.live).remove(&flow) {
            self.send(Event::Closed {
                flow,
                complete,
                at_ms,
            });
        }
    }

    pub(super) fn flush(&self, done: oneshot::Sender<()>) {
        self.send(Event::Flush(done));
        self.wake();
    }

    pub(super) fn end_segment(&self) {
        self.send(Event::EndSegment);
        self.wake();
    }

    /// Tells the archive's thread to write what there is and to end.
    pub(super) fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.wake();
    }

    /// Hands an event over; `false` once the archive's thread has ended, when nobody keeps what
    /// still arrives.
    fn send(&self, event: Event) -> bool {
        let sent = self.events.send(event).is_ok();
        if !sent && !self.shared.abandoned.swap(true, Ordering::Relaxed) {
            self.report_abandoned();
        }
        sent
    }

    /// Says once that nothing is archived any more, unless the gateway stops.
    fn report_abandoned(&self) {
        if !self.shared.stopping.load(Ordering::Acquire) {
            metrics::stalled(true);
            tracing::error!("the archive's thread has ended: nothing is archived any more");
        }
    }

    fn wake(&self) {
        if let Some(reader) = self.shared.reader.get() {
            reader.unpark();
        }
    }
}

impl Outlet {
    /// Names the current thread as the one to wake.
    pub(super) fn attach(&self) {
        self.shared.reader.get_or_init(std::thread::current);
    }

    pub(super) fn next(&self) -> Option<Event> {
        self.events.try_recv().ok()
    }

    /// A flow was written to its end.
    pub(super) fn flow_done(&self) {
        self.shared.flows.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether flows are open or on their way.
    pub(super) fn has_flows(&self) -> bool {
        self.shared.flows.load(Ordering::Relaxed) > 0
    }

    pub(super) fn take_missed(&self) -> BTreeMap<DeviceId, Missed> {
        std::mem::take(&mut *lock(&self.shared.missed))
    }

    pub(super) fn stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Acquire)
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.shared.budget.bytes.load(Ordering::Relaxed)
    }
}

impl Budget {
    /// Takes room for a piece and answers how many bytes wait now.
    fn take(&self, bytes: usize) -> Option<usize> {
        let waiting = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let pieces = self.pieces.fetch_add(1, Ordering::Relaxed) + 1;
        if waiting > self.bytes_max || pieces > QUEUE_PIECES_MAX {
            self.give_back(bytes);
            return None;
        }
        Some(waiting)
    }

    fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.pieces.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Piece {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes.len());
    }
}

/// Nothing behind these locks can be left half done.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Protocol;

    #[test]
    fn what_nobody_takes_counts_as_dropped_and_keeps_no_room() {
        let (inlet, outlet) = queue(1_000);
        drop(outlet);
        let info = FlowInfo {
            flow: FlowId::random(),
            device: "mon-1".parse().unwrap(),
            protocol: Protocol::Tcp,
            service: "tcp@127.0.0.1:6661".parse().unwrap(),
        };
        assert!(!inlet.open(&info, 1));
        assert!(!inlet.record(info.flow, Direction::ToService, 0, 1, b"bytes"));
        assert!(inlet.shared.abandoned.load(Ordering::Relaxed));
        assert_eq!(inlet.shared.budget.bytes.load(Ordering::Relaxed), 0);
        assert_eq!(inlet.shared.flows.load(Ordering::Relaxed), 0);
    }
}
