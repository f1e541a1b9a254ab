//! Linearizability: is there one order of all calls, each somewhere between its beginning and its
//! end, in which a cluster of one would have given the same answers?
//!
//! The search of Wing and Gong with Lowe's memory of what was tried ("Testing for linearizability",
//! 2017). It always comes to an end, so there is no third verdict. What makes it short is that
//! calls without a known end, which may happen at any later time, are placed only where they change
//! something, and those of one kind in the order in which they were begun.

use std::collections::HashSet;
use std::hash::Hash;

use super::record::{Answer, Call};

/// What a subject is like at one moment.
pub trait Model: Clone + Eq + Hash {
    /// What it is like before any call.
    fn start() -> Self;

    /// What it is like after this call; `None` where it would not have been answered so.
    ///
    /// A call that nobody knows the end of is asked for what it does if it is carried out.
    fn step(&self, call: &Call) -> Option<Self>;
}

/// The calls of one subject that no order explains.
#[derive(Debug)]
pub struct Violation {
    /// Every call of the longest order that was found, then the ones that could not follow.
    pub explained: usize,
    /// The calls of which one had to come next, and none could.
    pub stuck: Vec<Call>,
}

/// Looks for such an order of the calls of one subject.
///
/// # Errors
/// When there is none.
pub fn check<M: Model>(calls: &[Call]) -> Result<(), Violation> {
    // A read that nobody knows the answer of says nothing.
    let matters = |call: &&Call| call.op.is_write() || !matches!(call.answer, Answer::Unknown(_));
    let calls: Vec<&Call> = calls.iter().filter(matters).collect();
    Search::<M>::new(calls).run()
}

/// One event of the history: a call begins, or has an answer.
struct Event {
    call: usize,
    is_end: bool,
}

struct Search<'a, M> {
    calls: Vec<&'a Call>,
    events: Vec<Event>,
    /// A ring of the events that are still to be explained; 0 is its head, event `i` is `i + 1`.
    next: Vec<usize>,
    previous: Vec<usize>,
    /// Where the end of each call is in the ring; 0 where it has none.
    end_of: Vec<usize>,
    state: M,
    done: Bits,
    left: usize,
    /// What was placed, with what was before.
    placed: Vec<(usize, M)>,
    tried: HashSet<(Bits, M)>,
    best: (usize, Vec<Call>),
}

impl<'a, M: Model> Search<'a, M> {
    fn new(calls: Vec<&'a Call>) -> Self {
        let mut times = Vec::new();
        for (call, it) in calls.iter().enumerate() {
            // At one moment, beginnings come first: such calls overlap.
            times.push((it.begun, false, call));
            if it.settled() != u64::MAX {
                times.push((it.ended, true, call));
            }
        }
        times.sort_unstable();
        let events: Vec<Event> = times
            .into_iter()
            .map(|(_, is_end, call)| Event { call, is_end })
            .collect();
        let mut end_of = vec![0; calls.len()];
        for (at, event) in events.iter().enumerate().filter(|(_, event)| event.is_end) {
            end_of[event.call] = at + 1;
        }
        let count = events.len();
        Self {
            left: end_of.iter().filter(|end| **end != 0).count(),
            done: Bits::new(calls.len()),
            next: (1..=count).chain([0]).collect(),
            previous: [count].into_iter().chain(0..count).collect(),
            calls,
            events,
            end_of,
            state: M::start(),
            placed: Vec::new(),
            tried: HashSet::new(),
            best: (0, Vec::new()),
        }
    }

    fn run(mut self) -> Result<(), Violation> {
        let mut at = self.next[0];
        while self.left > 0 {
            let event = &self.events[at - 1];
            if !event.is_end {
                at = match self.place(at) {
                    true => self.next[0],
                    false => self.next[at],
                };
                continue;
            }
            self.note_stuck();
            let Some((back, state)) = self.placed.pop() else {
                let (explained, stuck) = self.best;
                return Err(Violation { explained, stuck });
            };
            self.take_back(back);
            self.state = state;
            at = self.next[back];
        }
        Ok(())
    }

    /// Lets the call that begins at `at` happen now, unless it cannot or that was tried.
    fn place(&mut self, at: usize) -> bool {
        let call = self.events[at - 1].call;
        let Some(after) = self.state.step(self.calls[call]) else {
            return false;
        };
        if self.end_of[call] == 0 && (after == self.state || self.has_older_twin(at)) {
            return false;
        }
        let mut done = self.done.clone();
        done.flip(call);
        if !self.tried.insert((done.clone(), after.clone())) {
            return false;
        }
        self.done = done;
        let before = std::mem::replace(&mut self.state, after);
        self.placed.push((at, before));
        self.unlink(at);
        if self.end_of[call] != 0 {
            self.unlink(self.end_of[call]);
            self.left -= 1;
        }
        true
    }

    /// Whether a call of the same kind, begun before the one at `at`, has no known end either and
    /// did not happen yet: then that one happens first, which comes to the same.
    fn has_older_twin(&self, at: usize) -> bool {
        let op = |at: usize| self.calls[self.events[at - 1].call].op;
        let mut before = self.previous[at];
        while before != 0 {
            let event = &self.events[before - 1];
            if !event.is_end && self.end_of[event.call] == 0 && op(before) == op(at) {
                return true;
            }
            before = self.previous[before];
        }
        false
    }

    fn take_back(&mut self, at: usize) {
        let call = self.events[at - 1].call;
        self.done.flip(call);
        // In the opposite order of their leaving.
        if self.end_of[call] != 0 {
            self.link(self.end_of[call]);
            self.left += 1;
        }
        self.link(at);
    }

    fn unlink(&mut self, at: usize) {
        let (previous, next) = (self.previous[at], self.next[at]);
        self.next[previous] = next;
        self.previous[next] = previous;
    }

    fn link(&mut self, at: usize) {
        let (previous, next) = (self.previous[at], self.next[at]);
        self.next[previous] = at;
        self.previous[next] = at;
    }

    /// Remembers the calls that none could follow, if no order came as far before.
    fn note_stuck(&mut self) {
        if self.placed.len() < self.best.0
            || !self.best.1.is_empty() && self.placed.len() == self.best.0
        {
            return;
        }
        let mut stuck = Vec::new();
        let mut at = self.next[0];
        while at != 0 && !self.events[at - 1].is_end {
            stuck.push(self.calls[self.events[at - 1].call].clone());
            at = self.next[at];
        }
        self.best = (self.placed.len(), stuck);
    }
}

/// Which calls have happened.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn flip(&mut self, at: usize) {
        self.0[at / 64] ^= 1 << (at % 64);
    }
}

#[cfg(test)]
mod tests {
    use kms_client::reason::Reason;

    use super::*;
    use crate::history::key::KeyModel;
    use crate::history::record::{Op, Subject};

    /// Each line: begun, ended, what, and what was told.
    fn history(lines: &[(u64, u64, Op, Answer)]) -> Vec<Call> {
        let lines = lines.iter().zip(1..);
        let call = |(&(begun, ended, op, answer), id)| Call {
            id,
            client: 0,
            node: 1,
            subject: Subject::Key(0),
            op,
            begun,
            ended,
            answer,
            context: String::new(),
        };
        lines.map(call).collect()
    }

    const DISABLED: Answer = Answer::Refused(Reason::KeyDisabled);
    const LOST: Answer = Answer::Unknown(Reason::Deadline);

    fn check(expected: bool, lines: &[(u64, u64, Op, Answer)]) {
        let mut lines = lines.to_vec();
        lines.insert(0, (0, 1, Op::Create, Answer::Done(1)));
        let verdict = super::check::<KeyModel>(&history(&lines));
        assert_eq!(verdict.is_ok(), expected, "{verdict:?} of {lines:?}");
    }

    #[test]
    fn one_after_the_other() {
        use Op::{Disable, Enable, Encrypt};
        check(true, &[(2, 3, Encrypt, Answer::Done(1))]);
        check(false, &[(2, 3, Encrypt, Answer::Done(2))]);
        check(false, &[(2, 3, Encrypt, DISABLED)]);
        let disabled = (2, 3, Disable, Answer::Done(1));
        check(true, &[disabled, (4, 5, Encrypt, DISABLED)]);
        check(false, &[disabled, (4, 5, Encrypt, Answer::Done(1))]);
        let enabled = (4, 5, Enable, Answer::Done(1));
        check(true, &[disabled, enabled, (6, 7, Encrypt, Answer::Done(1))]);
        check(false, &[disabled, enabled, (6, 7, Encrypt, DISABLED)]);
    }

    #[test]
    fn calls_that_overlap_may_have_come_in_either_order() {
        use Op::{Disable, Encrypt, Rotate};
        let disable = (2, 10, Disable, Answer::Done(1));
        for answer in [Answer::Done(1), DISABLED] {
            check(true, &[disable, (3, 5, Encrypt, answer)]);
        }
        // Once one has seen it, nobody may see it undone.
        let seen = (3, 4, Encrypt, DISABLED);
        check(true, &[disable, seen, (5, 6, Encrypt, DISABLED)]);
        check(false, &[disable, seen, (5, 6, Encrypt, Answer::Done(1))]);
        let rotate = (2, 10, Rotate, Answer::Done(2));
        let new = (3, 4, Encrypt, Answer::Done(2));
        check(true, &[rotate, new]);
        check(false, &[rotate, new, (5, 6, Encrypt, Answer::Done(1))]);
    }

    #[test]
    fn what_nobody_knows_may_have_happened_late_or_never() {
        use Op::{Disable, Encrypt, Rotate};
        let lost = (2, 3, Disable, LOST);
        check(true, &[lost, (20, 21, Encrypt, Answer::Done(1))]);
        check(true, &[lost, (20, 21, Encrypt, DISABLED)]);
        let late = [
            lost,
            (20, 21, Encrypt, Answer::Done(1)),
            (22, 23, Encrypt, DISABLED),
        ];
        check(true, &late);
        let mut undone = late.to_vec();
        undone.push((24, 25, Encrypt, Answer::Done(1)));
        check(false, &undone);
        // But not twice.
        let lost = (2, 3, Rotate, LOST);
        check(true, &[lost, (20, 21, Encrypt, Answer::Done(2))]);
        check(false, &[lost, (20, 21, Encrypt, Answer::Done(3))]);
        // And not before it was asked for.
        check(false, &[(2, 3, Encrypt, DISABLED), (4, 5, Disable, LOST)]);
    }

    #[test]
    fn a_thousand_calls_by_eight_clients_are_searched_in_no_time() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let (mut lines, mut is_on, mut clock) = (Vec::new(), true, 10);
        for _ in 0..1_000 {
            // Each happens at `clock`, and was on its way for a while before and after.
            clock += random.u64(1..10);
            let (op, answer) = match random.u8(..4) {
                0 => (Op::Disable, Answer::Done(1)),
                1 => (Op::Enable, Answer::Done(1)),
                2 if random.u8(..20) == 0 => (Op::Disable, LOST),
                _ if is_on => (Op::Encrypt, Answer::Done(1)),
                _ => (Op::Encrypt, DISABLED),
            };
            if answer != LOST && matches!(op, Op::Disable | Op::Enable) {
                is_on = op == Op::Enable;
            }
            lines.push((
                clock - random.u64(1..10),
                clock + random.u64(..20),
                op,
                answer,
            ));
        }
        check(true, &lines);
        let unseen = (clock + 100, clock + 101, Op::Encrypt, Answer::Done(9));
        lines.push(unseen);
        check(false, &lines);
    }
}
