//! The three clocks. Nothing else in Ward reads the time.
//!
//! [`wall_ms`] is for dates that people read and may be wrong; [`boottime`] is for leases, since
//! it also runs while the machine sleeps; [`monotonic`] is for deadlines within one process.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// Tells the wall clock, in milliseconds since 1970-01-01 UTC; 0 when it stands before that.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one home of the wall clock")]
pub fn wall_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Tells how long the machine has been up, sleep included (`CLOCK_BOOTTIME`).
#[must_use]
pub fn boottime() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanoseconds)
}

/// Names this run of the machine: times of [`boottime`] compare only within one. Empty when the
/// kernel does not tell, which is no name.
#[must_use]
pub fn boot_id() -> String {
    let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}

/// Tells the monotonic clock.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one home of the monotonic clock"
)]
pub fn monotonic() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_run_forward() {
        let (up, steady) = (boottime(), monotonic());
        assert!(up > Duration::ZERO);
        assert!(boottime() >= up);
        assert_eq!(boot_id(), boot_id());
        assert!(!boot_id().is_empty());
        assert!(monotonic() >= steady);
    }

    #[test]
    fn the_wall_clock_counts_milliseconds_since_1970() {
        let ms_of_2024 = 1_704_067_200_000;
        assert!(wall_ms() > ms_of_2024);
        assert!(wall_ms() < ms_of_2024 * 100);
    }
}
