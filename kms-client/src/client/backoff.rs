//! How long to wait before asking all nodes again: doubling, with jitter, so that clients that
//! failed together do not come back together.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

use crate::limits::{BACKOFF_FIRST, BACKOFF_MAX};

/// The pauses of one call or one watch.
pub(crate) struct Backoff {
    longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            longest: BACKOFF_FIRST,
        }
    }
}

impl Backoff {
    /// Answers the next pause: between half and all of a span that doubles up to its limit.
    pub(crate) fn next(&mut self) -> Duration {
        let span = self.longest;
        self.longest = (span * 2).min(BACKOFF_MAX);
        span / 2 + (span / 2).mul_f64(random_fraction())
    }
}

/// Answers a number from 0 to 1; 1 when the system has no randomness to give, since a pause
/// without jitter is no danger.
fn random_fraction() -> f64 {
    let mut bytes = [0; 4];
    match SystemRandom::new().fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX),
        Err(ring::error::Unspecified) => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_limit_and_differ() {
        let mut backoff = Backoff::default();
        let mut span = BACKOFF_FIRST;
        for _ in 0..20 {
            let pause = backoff.next();
            assert!(pause >= span / 2 && pause <= span, "{pause:?} of {span:?}");
            span = (span * 2).min(BACKOFF_MAX);
        }
        assert_ne!(backoff.next(), backoff.next());
    }
}
