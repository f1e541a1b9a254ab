//! One direction of one flow in the archive: pieces come in, objects and gaps go out.
//!
//! ```text
//! pieces ──▶ held (no data key yet) ──▶ observer ──▶ open object ──▶ fragments
//!    │            │ 5 s                                  │
//!    └─ hole ─────┴───────────▶ gap ◀────────────────────┘ bytes missing: the object ends
//! ```
//!
//! `position` only moves forward, and whatever it moves over is in an object or in a gap.

use std::collections::VecDeque;
use std::time::Instant;

use envelope::segment::{GapCause, UNKNOWN_OFFSET};

use super::keys::DataKeys;
use super::limits::KEY_PATIENCE;
use super::metrics;
use super::object::OpenObject;
use super::open_gap::OpenGap;
use super::queue::Piece;
use super::writer::Writer;
use crate::capture::{Direction, FlowInfo};
use crate::observe::{End, Observer, Oddities, PATIENCE};

/// What a lane works with.
pub(super) struct Bench<'a> {
    pub(super) writer: &'a mut Writer,
    pub(super) keys: &'a dyn DataKeys,
    pub(super) now: Instant,
    pub(super) now_ms: u64,
    /// Why bytes that the queue dropped are missing.
    pub(super) loss: GapCause,
}

/// One direction of one flow.
pub(super) struct Lane {
    direction: Direction,
    observer: Observer,
    /// Offset of the next byte.
    position: u64,
    object: Option<OpenObject>,
    /// Pieces that wait for a data key; bounded by the queue, whose room they keep.
    held: VecDeque<Held>,
    held_since: Option<Instant>,
    /// The wait for a data key was in vain; until there is one, bytes are a gap at once.
    keyless: bool,
    gap: Option<OpenGap>,
    ended: Option<Ended>,
    last_byte: Instant,
    counted: Oddities,
    /// Whether a timer of this lane is running.
    pub(super) timer: bool,
}

struct Held {
    piece: Piece,
    /// So much of the piece was taken already.
    from: usize,
}

enum Ended {
    /// The end is known, but bytes before it wait for a data key.
    Waiting {
        offset: u64,
        finished: bool,
    },
    Done,
}

impl Lane {
    pub(super) fn new(info: &FlowInfo, direction: Direction, now: Instant) -> Self {
        Self {
            direction,
            observer: Observer::new(info.protocol),
            position: 0,
            object: None,
            held: VecDeque::new(),
            held_since: None,
            keyless: false,
            gap: None,
            ended: None,
            last_byte: now,
            counted: Oddities::default(),
            timer: false,
        }
    }

    /// Takes the next bytes of the direction.
    pub(super) fn piece(&mut self, info: &FlowInfo, piece: Piece, bench: &mut Bench<'_>) {
        let held = Held { piece, from: 0 };
        if self.held.is_empty() {
            self.take(info, held, bench);
        } else {
            self.held.push_back(held);
        }
    }

    /// The direction ended at `offset`.
    pub(super) fn end(
        &mut self,
        info: &FlowInfo,
        offset: u64,
        finished: bool,
        bench: &mut Bench<'_>,
    ) {
        if self.held.is_empty() {
            self.finish(info, offset, finished, bench);
        } else {
            self.ended = Some(Ended::Waiting { offset, finished });
        }
    }

    /// Whether pieces wait for a data key.
    pub(super) fn is_waiting(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether everything up to the end is in objects and gaps.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.ended, Some(Ended::Done))
    }

    /// Bytes of the direction so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Where what is not whole yet begins, and the open object that begins there.
    pub(super) fn covered(&self) -> (u64, Option<&OpenObject>) {
        let open = self.object.as_ref();
        let gap = self.gap.as_ref().map(OpenGap::begins);
        (
            open.map(OpenObject::begins)
                .or(gap)
                .unwrap_or(self.position),
            open,
        )
    }

    /// When this lane is to be looked at again although nothing comes.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let unlabelled = self.object.as_ref().is_some_and(OpenObject::is_unlabelled);
        let silence = self
            .observer
            .patience()
            .or(unlabelled.then_some(PATIENCE))
            .map(|patience| self.last_byte + patience);
        let report = self.gap.as_ref().map(OpenGap::due);
        silence
            .filter(|_| self.object.is_some())
            .into_iter()
            .chain(report)
            .min()
    }

    /// The deadline has passed.
    pub(super) fn silence(&mut self, info: &FlowInfo, bench: &mut Bench<'_>) {
        let patience = self.observer.patience();
        if patience.is_some_and(|patience| self.last_byte + patience <= bench.now) {
            let end = self.observer.silence();
            self.end_object(&[], end, bench);
            self.count();
        } else if self.last_byte + PATIENCE <= bench.now {
            // Long enough for the rest of a header; a data key is not kept for longer.
            self.label_now(bench);
        }
        if self.gap.as_ref().is_some_and(|gap| gap.due() <= bench.now) {
            self.report_gap(info, bench);
        }
    }

    /// Looks again for the data key that the held pieces wait for.
    pub(super) fn retry(&mut self, info: &FlowInfo, bench: &mut Bench<'_>) {
        while let Some(held) = self.held.pop_front() {
            let waiting = self.held.len();
            self.take(info, held, bench);
            if self.held.len() > waiting {
                break;
            }
        }
        let patient = self
            .held_since
            .is_some_and(|since| bench.now < since + KEY_PATIENCE);
        if !self.held.is_empty() && !patient {
            self.give_up_held(info, bench);
        }
        if !self.held.is_empty() {
            return;
        }
        self.held_since = None;
        if let Some(Ended::Waiting { offset, finished }) =
            self.ended.take_if(|ended| !ended.is_done())
        {
            self.finish(info, offset, finished, bench);
        }
    }

    /// The gateway stops: what is open ends, and whatever may still be forwarded is a gap.
    pub(super) fn stop(&mut self, info: &FlowInfo, bench: &mut Bench<'_>) {
        if self.is_done() {
            return;
        }
        self.give_up_held(info, bench);
        // Where the end is known, no more than up to there can be missing.
        if let Some(Ended::Waiting { offset, finished }) = self.ended.take() {
            self.finish(info, offset, finished, bench);
            return;
        }
        self.end_object(&[], End::Incomplete, bench);
        self.lose(info, UNKNOWN_OFFSET, GapCause::Shutdown, bench);
        self.close_gap(info, bench);
        self.ended = Some(Ended::Done);
    }

    /// Cuts a piece into objects, or puts it back when there is no data key for the next one.
    fn take(&mut self, info: &FlowInfo, mut held: Held, bench: &mut Bench<'_>) {
        let begins = held.piece.offset + held.from as u64;
        if begins > self.position {
            let loss = bench.loss;
            self.miss(info, begins, loss, bench);
        }
        self.last_byte = bench.now;
        while held.from < held.piece.bytes().len() {
            if self.object.is_none() && !self.begin(info, held.piece.at_ms, bench) {
                self.without_key(info, held, bench);
                return;
            }
            held.from += self.cut(&held.piece.bytes()[held.from..], bench);
        }
        // Objects are listed in the order of their first fragments, so none comes late.
        if let Some(object) = &mut self.object {
            if let Some(label) = self.observer.label() {
                object.label(label, bench.writer);
            }
            object.show(bench.writer);
        }
        self.count();
    }

    /// Gives the open object its part of `bytes`; answers how much that was.
    fn cut(&mut self, bytes: &[u8], bench: &mut Bench<'_>) -> usize {
        let cut = self.observer.cut(bytes);
        let part = &bytes[..cut.used];
        self.position += part.len() as u64;
        match cut.end {
            Some(end) => self.end_object(part, end, bench),
            None => {
                if let Some(object) = &mut self.object
                    && !object.go_on(part, bench.writer)
                {
                    self.label_now(bench);
                }
            }
        }
        cut.used
    }

    /// Begins an object at the position; `false` without a data key.
    fn begin(&mut self, info: &FlowInfo, at_ms: u64, bench: &mut Bench<'_>) -> bool {
        let reserved = self.observer.object_bytes_max();
        let Some(leased) = bench.keys.lease(&info.device, reserved) else {
            return false;
        };
        match OpenObject::begin(leased, reserved, info, self.direction, self.position, at_ms) {
            Ok(mut object) => {
                self.close_gap(info, bench);
                self.keyless = false;
                if !self.observer.labels() {
                    object.no_label();
                }
                self.object = Some(object);
                true
            }
            Err(error) => {
                tracing::error!(device = %info.device, %error, "a data key cannot be used");
                false
            }
        }
    }

    fn end_object(&mut self, last: &[u8], end: End, bench: &mut Bench<'_>) {
        let Some(object) = self.object.take() else {
            return;
        };
        let bytes = object.bytes() + last.len() as u64;
        let label = self.observer.label_so_far();
        object.end(last, end, label, bench.now_ms, bench.writer);
        metrics::object(bytes);
    }

    /// The open object has waited for its label long enough.
    fn label_now(&mut self, bench: &mut Bench<'_>) {
        if let Some(object) = &mut self.object {
            object.label(self.observer.label_so_far(), bench.writer);
            object.show(bench.writer);
        }
    }

    fn without_key(&mut self, info: &FlowInfo, held: Held, bench: &mut Bench<'_>) {
        if self.keyless {
            let end = held.piece.offset + held.piece.bytes().len() as u64;
            self.miss(info, end, GapCause::NoDataKey, bench);
        } else {
            self.held_since.get_or_insert(bench.now);
            self.held.push_front(held);
        }
    }

    /// The data key did not come in time.
    fn give_up_held(&mut self, info: &FlowInfo, bench: &mut Bench<'_>) {
        let Some(last) = self.held.back() else {
            return;
        };
        let end = last.piece.offset + last.piece.bytes().len() as u64;
        self.held.clear();
        self.keyless = true;
        self.miss(info, end, GapCause::NoDataKey, bench);
    }

    /// The bytes up to offset `to` are missing: what was open is only a part.
    fn miss(&mut self, info: &FlowInfo, to: u64, cause: GapCause, bench: &mut Bench<'_>) {
        let end = self.observer.lost();
        self.end_object(&[], end, bench);
        self.lose(info, to, cause, bench);
        self.position = to;
    }

    /// Adds the bytes from the position up to `to` to the open gap.
    fn lose(&mut self, info: &FlowInfo, to: u64, cause: GapCause, bench: &mut Bench<'_>) {
        if self
            .gap
            .as_ref()
            .is_some_and(|gap| !gap.goes_on(cause, self.position))
        {
            self.close_gap(info, bench);
        }
        let begin = || OpenGap::begin(cause, self.position, bench);
        self.gap.get_or_insert_with(begin).grow(to);
    }

    fn close_gap(&mut self, info: &FlowInfo, bench: &mut Bench<'_>) {
        self.report_gap(info, bench);
        self.gap = None;
    }

    fn report_gap(&mut self, info: &FlowInfo, bench: &mut Bench<'_>) {
        if let Some(gap) = &mut self.gap {
            gap.report(info, self.direction, bench);
        }
    }

    fn finish(&mut self, info: &FlowInfo, offset: u64, finished: bool, bench: &mut Bench<'_>) {
        if offset > self.position {
            let loss = bench.loss;
            self.miss(info, offset, loss, bench);
        }
        if self.object.is_some() {
            let end = self.observer.ended(finished);
            self.end_object(&[], end, bench);
        }
        self.close_gap(info, bench);
        self.count();
        self.ended = Some(Ended::Done);
    }

    fn count(&mut self) {
        let seen = self.observer.oddities();
        metrics::oddities(self.counted, seen);
        self.counted = seen;
    }
}

impl Ended {
    fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}
