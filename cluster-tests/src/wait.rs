//! Waiting on conditions with a deadline; nothing in these tests sleeps for a fixed time.

use std::time::Duration;

/// How long a condition may take before a test calls it failed.
pub const DEADLINE: Duration = Duration::from_secs(60);

const STEP: Duration = Duration::from_millis(5);

/// Polls `condition` until it gives a value.
///
/// # Panics
/// After [`DEADLINE`], naming what was waited for.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    within(DEADLINE, &mut condition)
        .unwrap_or_else(|| panic!("waited {} s in vain: {what}", DEADLINE.as_secs()))
}

/// Polls `condition` until it gives a value or `deadline` has passed.
pub fn within<T>(deadline: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let end = sys::clock::monotonic() + deadline;
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if sys::clock::monotonic() >= end {
            return None;
        }
        std::thread::sleep(STEP);
    }
}
