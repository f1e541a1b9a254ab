//! How long to wait before a process that died is started again.

use std::time::Duration;

/// Doubles from [`FIRST`] to [`LONGEST`]; begins anew once a process had been ready for
/// [`PROVEN`].
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    /// Begins with the shortest wait.
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    /// Answers how long to wait, after a process that was ready for `ready` (zero when it never
    /// was).
    pub(crate) fn after(&mut self, ready: Duration) -> Duration {
        if ready >= PROVEN {
            self.next = FIRST;
        }
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        wait
    }
}

/// Leaves half of the promised 200 ms for noticing and starting.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
const PROVEN: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_five_seconds() {
        let mut backoff = Backoff::new();
        let waits: Vec<u128> = (0..9)
            .map(|_| backoff.after(Duration::ZERO).as_millis())
            .collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
    }

    #[test]
    fn two_ready_seconds_begin_anew() {
        let mut backoff = Backoff::new();
        for _ in 0..5 {
            backoff.after(Duration::ZERO);
        }
        assert_eq!(backoff.after(Duration::from_millis(1999)).as_millis(), 3200);
        assert_eq!(backoff.after(Duration::from_secs(2)).as_millis(), 100);
    }
}
