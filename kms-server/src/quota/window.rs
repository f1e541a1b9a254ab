//! How much was used lately: one count over a time that moves with the clock.
//!
//! ```text
//!   ... │ 15 │ 16 │ 17 │ ... │ 31 │      sixteenths of the window, by the clock
//!            └────────────────────┘      counted while in 31: the present one and 16 before
//! ```
//!
//! So at least a whole window is counted, and at most a sixteenth more: never is more served in any
//! time as long as the window than its limit says, as it could be with counts that begin anew.

use std::time::Duration;

/// The uses of one identity that count against one limit.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// The length of a part.
    part_ns: u64,
    /// The part of the clock's time that was counted last.
    newest: u64,
    /// By the number of the part, modulo how many there are.
    counts: [u32; KEPT],
}

impl Window {
    pub(super) fn new(length: Duration) -> Self {
        // Lengths are whole seconds, so that no part is empty.
        let length_ns = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        Self {
            part_ns: length_ns / PARTS,
            newest: 0,
            counts: [0; KEPT],
        }
    }

    /// How much is counted now.
    pub(super) fn count(&mut self, now: Duration) -> u64 {
        self.move_to(now);
        self.counts.iter().copied().map(u64::from).sum()
    }

    pub(super) fn add(&mut self, now: Duration, uses: u32) {
        self.move_to(now);
        let count = &mut self.counts[place(self.newest)];
        *count = count.saturating_add(uses);
    }

    /// For how long it takes until at most `most` are counted, when nothing is added.
    pub(super) fn until(&mut self, now: Duration, most: u64) -> Duration {
        let mut counted = self.count(now);
        let oldest = self.newest.saturating_sub(PARTS);
        for part in oldest..=self.newest {
            if counted <= most {
                break;
            }
            counted -= u64::from(self.counts[place(part)]);
            if counted <= most {
                let gone_ns = self.part_ns.saturating_mul(part + PARTS + 1);
                return Duration::from_nanos(gone_ns).saturating_sub(now);
            }
        }
        Duration::ZERO
    }

    fn move_to(&mut self, now: Duration) {
        let now_ns = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let present = now_ns / self.part_ns;
        // Two tasks may read the clock in one order and get here in the other.
        let first = self.newest + 1;
        for part in first.max(present.saturating_sub(PARTS))..=present {
            self.counts[place(part)] = 0;
        }
        self.newest = self.newest.max(present);
    }
}

fn place(part: u64) -> usize {
    usize::try_from(part % KEPT as u64).expect("less than how many are kept")
}

const PARTS: u64 = 16;
const KEPT: usize = PARTS as usize + 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(1_000_000 + ms)
    }

    #[test]
    fn a_window_counts_itself_whole_and_no_more_than_a_sixteenth_beyond() {
        let mut window = Window::new(Duration::from_secs(16));
        window.add(at(0), 5);
        window.add(at(999), 2);
        window.add(at(8_000), 3);
        assert_eq!(window.count(at(15_999)), 10);
        // Uses at 999 are not yet 16 s old.
        assert_eq!(window.count(at(16_998)), 10);
        assert_eq!(window.count(at(17_000)), 3);
        assert_eq!(window.count(at(24_999)), 3);
        assert_eq!(window.count(at(25_000)), 0);
    }

    #[test]
    fn it_tells_when_there_is_room_again() {
        let mut window = Window::new(Duration::from_secs(16));
        window.add(at(0), 5);
        window.add(at(8_000), 3);
        assert_eq!(window.until(at(9_000), 8), Duration::ZERO);
        assert_eq!(window.until(at(9_000), 7), Duration::from_secs(8));
        assert_eq!(window.until(at(9_000), 3), Duration::from_secs(8));
        assert_eq!(window.until(at(9_000), 2), Duration::from_secs(16));
        // What it said holds.
        assert_eq!(window.count(at(17_000)), 3);
        assert_eq!(window.count(at(25_000)), 0);
    }

    #[test]
    fn after_a_long_silence_nothing_is_left_and_a_clock_read_out_of_order_loses_nothing() {
        let mut window = Window::new(Duration::from_secs(1));
        window.add(at(0), 9);
        assert_eq!(window.count(at(86_400_000)), 0);
        window.add(at(86_400_000), 4);
        window.add(at(86_399_000), 1);
        assert_eq!(window.count(at(86_400_000)), 5);
    }

    /// Whatever is asked when, no window of this length ever holds more than the limit.
    #[test]
    fn no_window_ever_holds_more_than_the_limit() {
        let (length_ms, limit) = (1_000_u64, 10_u64);
        let mut window = Window::new(Duration::from_millis(length_ms));
        let mut served = Vec::new();
        let mut time = 0;
        for step in 0..5_000_u64 {
            time += (step * 7_919) % 61;
            if window.count(at(time)) < limit {
                window.add(at(time), 1);
                served.push(time);
            }
        }
        let most = usize::try_from(limit).unwrap();
        for lot in served.windows(most + 1) {
            assert!(lot[most] - lot[0] > length_ms, "{lot:?}");
        }
        // And not much less than it: the sixteenth beyond is all that it costs.
        assert!(served.len() as u64 > time * limit / length_ms * 8 / 10);
    }
}
