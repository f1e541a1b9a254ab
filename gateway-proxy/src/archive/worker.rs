//! The archive's thread: takes the queue apart, commits, and waits out a full or failing disk.
//!
//! One loop, in this order: a stalled disk is tried again and nothing else happens until it takes
//! the commit; then the queue, lanes that wait for a data key, timers, the commit, and sleep.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use envelope::id::FlowId;
use envelope::segment::{Entry, Gap, GapCause, Range};
use tokio::sync::oneshot;

use super::flow::{Flow, side};
use super::keys::DataKeys;
use super::lane::Bench;
use super::limits::{RETRY, TICK_BUSY, TICK_QUIET};
use super::metrics;
use super::queue::{Event, Outlet};
use super::writer::{Carried, Writer};
use crate::capture::Direction;

/// The state of the archive's thread.
pub(super) struct Worker {
    outlet: Outlet,
    writer: Writer,
    keys: Arc<dyn DataKeys>,
    flows: HashMap<FlowId, Flow>,
    /// At most one for each lane.
    timers: BinaryHeap<Reverse<(Instant, FlowId, usize)>>,
    /// Lanes that wait for a data key.
    waiting: BTreeSet<(FlowId, usize)>,
    /// Who wants to know of the next commit.
    flushes: Vec<oneshot::Sender<()>>,
    /// Set while the disk does not take what is written.
    stalled: bool,
    /// What the queue dropped until this is past was dropped because of the disk.
    storage_loss: bool,
}

const DIRECTIONS: [Direction; 2] = [Direction::ToService, Direction::ToDevice];

impl Worker {
    pub(super) fn new(outlet: Outlet, writer: Writer, keys: Arc<dyn DataKeys>) -> Self {
        Self {
            outlet,
            writer,
            keys,
            flows: HashMap::new(),
            timers: BinaryHeap::new(),
            waiting: BTreeSet::new(),
            flushes: Vec::new(),
            stalled: false,
            storage_loss: false,
        }
    }

    /// Runs until the gateway stops; then writes what there is. `patience` is how long a disk that
    /// does not take it is waited for at the end. Answers whether everything is durable.
    pub(super) fn run(mut self, patience: Duration) -> bool {
        while !self.outlet.stopping() {
            if self.stalled {
                std::thread::park_timeout(RETRY);
                self.commit();
                continue;
            }
            let busy = self.drain();
            self.retry_waiting();
            self.ring_timers();
            self.commit_if_due();
            if !busy {
                self.sleep();
            }
        }
        self.stop(patience)
    }

    /// Takes events until there are none, or a commit is due; whether there were any.
    fn drain(&mut self) -> bool {
        metrics::waiting(self.outlet.waiting_bytes());
        let mut busy = false;
        while !self.writer.is_full() && !self.stalled {
            let Some(event) = self.outlet.next() else {
                self.storage_loss = false;
                break;
            };
            busy = true;
            self.event(event);
            self.write_ahead();
        }
        busy
    }

    fn event(&mut self, event: Event) {
        let (now, now_ms) = (sys::clock::monotonic(), sys::clock::wall_ms());
        let loss = if self.storage_loss {
            GapCause::Storage
        } else {
            GapCause::QueueFull
        };
        let keys = self.keys.as_ref();
        let mut bench = Bench {
            writer: &mut self.writer,
            keys,
            now,
            now_ms,
            loss,
        };
        let (id, direction) = match event {
            Event::Opened { info, at_ms } => {
                let id = info.flow;
                self.flows.insert(id, Flow::open(info, at_ms, &mut bench));
                return;
            }
            Event::Flush(done) => {
                self.flushes.push(done);
                return;
            }
            Event::EndSegment => {
                self.writer.end_segment();
                return;
            }
            Event::Piece(piece) => {
                let (id, direction) = (piece.flow, piece.direction);
                let Some(flow) = self.flows.get_mut(&id) else {
                    return;
                };
                let (info, lane) = flow.lane(direction);
                lane.piece(info, piece, &mut bench);
                (id, direction)
            }
            Event::Ended {
                flow: id,
                direction,
                offset,
                finished,
            } => {
                let Some(flow) = self.flows.get_mut(&id) else {
                    return;
                };
                let (info, lane) = flow.lane(direction);
                lane.end(info, offset, finished, &mut bench);
                (id, direction)
            }
            Event::Closed {
                flow: id,
                complete,
                at_ms,
            } => {
                let Some(flow) = self.flows.get_mut(&id) else {
                    return;
                };
                flow.close(complete, at_ms);
                (id, Direction::ToService)
            }
        };
        self.settle(id, direction, now, now_ms, loss);
    }

    /// After something happened in a lane: its timer, its wait for a key, the flow's end.
    fn settle(
        &mut self,
        id: FlowId,
        direction: Direction,
        now: Instant,
        now_ms: u64,
        loss: GapCause,
    ) {
        let Some(flow) = self.flows.get_mut(&id) else {
            return;
        };
        let keys = self.keys.as_ref();
        let mut bench = Bench {
            writer: &mut self.writer,
            keys,
            now,
            now_ms,
            loss,
        };
        let of = (id, side(direction));
        if flow.lane(direction).1.is_waiting() {
            self.waiting.insert(of);
        } else {
            self.waiting.remove(&of);
        }
        if let Some(deadline) = flow.arm(direction) {
            self.timers.push(Reverse((deadline, id, of.1)));
        }
        if flow.try_finish(&mut bench) {
            self.flows.remove(&id);
            self.outlet.flow_done();
        }
    }

    /// Asks again for the data keys that lanes wait for.
    fn retry_waiting(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        for (id, side) in self.waiting.clone() {
            self.with_lane(id, side, |flow, direction, bench| {
                let (info, lane) = flow.lane(direction);
                lane.retry(info, bench);
            });
        }
    }

    fn ring_timers(&mut self) {
        let now = sys::clock::monotonic();
        while let Some(Reverse((deadline, id, side))) = self.timers.peek().copied() {
            if deadline > now {
                break;
            }
            self.timers.pop();
            self.with_lane(id, side, |flow, direction, bench| {
                let (info, lane) = flow.lane(direction);
                lane.timer = false;
                lane.silence(info, bench);
            });
        }
    }

    fn with_lane(
        &mut self,
        id: FlowId,
        side: usize,
        work: impl FnOnce(&mut Flow, Direction, &mut Bench<'_>),
    ) {
        let (now, now_ms) = (sys::clock::monotonic(), sys::clock::wall_ms());
        let loss = if self.storage_loss {
            GapCause::Storage
        } else {
            GapCause::QueueFull
        };
        let Some(flow) = self.flows.get_mut(&id) else {
            self.waiting.remove(&(id, side));
            return;
        };
        let keys = self.keys.as_ref();
        let mut bench = Bench {
            writer: &mut self.writer,
            keys,
            now,
            now_ms,
            loss,
        };
        let direction = DIRECTIONS[side];
        work(flow, direction, &mut bench);
        self.settle(id, direction, now, now_ms, loss);
    }

    fn write_ahead(&mut self) {
        let written = self.writer.write_ahead();
        self.disk_answered(written);
    }

    fn commit_if_due(&mut self) {
        if self.stalled {
            return;
        }
        self.note_missed();
        let now = sys::clock::monotonic();
        let due = self.writer.due_at().is_some_and(|due| due <= now);
        if due || self.writer.is_full() || !self.flushes.is_empty() {
            self.commit();
        }
    }

    fn commit(&mut self) {
        let now_ms = sys::clock::wall_ms();
        let flows = &self.flows;
        let committed = self.writer.commit(now_ms, || Carried {
            flows: flows
                .values()
                .map(|flow| (flow.info().flow, flow.carried(now_ms)))
                .collect(),
            keys: flows.values().flat_map(Flow::keys).collect(),
        });
        if self.disk_answered(committed) {
            for done in self.flushes.drain(..) {
                if done.send(()).is_err() {
                    tracing::trace!("nobody waits for this flush any more");
                }
            }
        }
    }

    /// Notes whether the disk took what was written.
    fn disk_answered(&mut self, answer: io::Result<()>) -> bool {
        match answer {
            Ok(()) => {
                if self.stalled {
                    tracing::info!("the archive can be written again");
                    metrics::stalled(false);
                }
                self.stalled = false;
                true
            }
            Err(error) => {
                if !self.stalled {
                    tracing::error!(%error, "the archive cannot be written; traffic goes on");
                    metrics::stalled(true);
                }
                self.stalled = true;
                self.storage_loss = true;
                false
            }
        }
    }

    /// Writes of which devices whole flows were missed.
    fn note_missed(&mut self) {
        let cause = if self.storage_loss {
            GapCause::Storage
        } else {
            GapCause::QueueFull
        };
        for (device, missed) in self.outlet.take_missed() {
            let gap = Gap {
                cause,
                from_ms: missed.from_ms,
                to_ms: missed.to_ms.max(missed.from_ms),
                ranges: [Range::EMPTY; 2],
                flows: missed.flows,
                device: device.as_str().to_owned(),
            };
            self.writer
                .append(&Entry::Gap(FlowId::from_bytes([0; 16]), gap));
            metrics::gap(cause, 0);
        }
    }

    /// Sleeps until the next thing to do; recording does not wake below a threshold.
    fn sleep(&self) {
        if !self.outlet.has_flows() && self.writer.is_clean() && self.waiting.is_empty() {
            std::thread::park();
            return;
        }
        let now = sys::clock::monotonic();
        let tick = if self.writer.is_clean() && self.waiting.is_empty() {
            TICK_QUIET
        } else {
            TICK_BUSY
        };
        let timer = self.timers.peek().map(|Reverse((deadline, ..))| *deadline);
        let due = timer.into_iter().chain(self.writer.due_at()).min();
        let until_due = due.map_or(tick, |due| due.saturating_duration_since(now));
        std::thread::park_timeout(tick.min(until_due));
    }

    /// Writes what is in the queue, ends the flows that are open, and commits; whether all of it
    /// is durable.
    fn stop(mut self, patience: Duration) -> bool {
        let deadline = sys::clock::monotonic() + patience;
        loop {
            self.drain();
            if self.writer.is_full() || self.stalled {
                self.commit();
                if !self.stalled {
                    continue;
                }
            }
            if !self.stalled || sys::clock::monotonic() >= deadline {
                break;
            }
            std::thread::park_timeout(RETRY);
        }
        self.end_flows();
        loop {
            self.note_missed();
            self.commit();
            if !self.stalled {
                return true;
            }
            if sys::clock::monotonic() >= deadline {
                tracing::error!(
                    "the archive could not be written to its end; the next start records gaps"
                );
                return false;
            }
            std::thread::park_timeout(RETRY);
        }
    }

    fn end_flows(&mut self) {
        let (now, now_ms) = (sys::clock::monotonic(), sys::clock::wall_ms());
        let loss = GapCause::Shutdown;
        let keys = self.keys.as_ref();
        let mut bench = Bench {
            writer: &mut self.writer,
            keys,
            now,
            now_ms,
            loss,
        };
        for (_, mut flow) in self.flows.drain() {
            flow.stop(&mut bench);
            self.outlet.flow_done();
        }
    }
}
