//! One job, and how it stands at this gateway.

use std::time::{Duration, Instant};

use envelope::id::KeyVersion;
use kms_client::model::{RunningRewrap, ToldRewrap};
use kms_client::reason::Reason;

use super::limits::{STEP_KEYS, STEP_SECONDS};
use super::metrics;
use super::shelf::Left;

/// A job that runs.
pub(super) struct Job {
    pub(super) asked: RunningRewrap,
    /// Since when no lease is under an older version.
    clear_since: Option<Instant>,
    /// Whether it has been so for long enough, by the look before.
    settled: bool,
    /// Why it stands still, and until when.
    blocked: Option<(Reason, Instant)>,
    /// Data keys that could not be moved: in the last pass, and in this one so far.
    failed: u64,
    failing: u64,
    reason: Option<Reason>,
}

impl Job {
    pub(super) fn new(asked: RunningRewrap) -> Self {
        Self {
            asked,
            clear_since: None,
            settled: false,
            blocked: None,
            failed: 0,
            failing: 0,
            reason: None,
        }
    }

    /// Whether a data key under this version is to be moved.
    pub(super) fn wants(&self, version: KeyVersion) -> bool {
        version < self.asked.target
    }

    /// Notes, before the side-cars are looked at, whether a lease is under an older version. What
    /// was begun under one is in a side-car some time after there is none any more.
    pub(super) fn note_leases(&mut self, holds_older: bool, now: Instant, settle: Duration) {
        if holds_older {
            self.clear_since = None;
        }
        let clear_since = match holds_older {
            true => now,
            false => *self.clear_since.get_or_insert(now),
        };
        self.settled = !holds_older && now.saturating_duration_since(clear_since) >= settle;
    }

    /// How many data keys are moved before their side-car is replaced.
    pub(super) fn step_keys(&self) -> usize {
        let in_time = self.asked.rate.saturating_mul(STEP_SECONDS).max(1);
        usize::try_from(in_time).map_or(STEP_KEYS, |keys| keys.min(STEP_KEYS))
    }

    /// How long so many data keys take at the job's rate.
    pub(super) fn time_of(&self, keys: usize) -> Duration {
        Duration::from_secs_f64(keys as f64 / f64::from(self.asked.rate.max(1)))
    }

    /// Lets it stand still for a while.
    pub(super) fn block(&mut self, reason: Reason, until: Instant) {
        metrics::refused(reason);
        let key = self.asked.key_id;
        tracing::warn!(%key, %reason, "rewrapping stands still; it is tried again");
        self.blocked = Some((reason, until));
    }

    pub(super) fn is_blocked(&self, now: Instant) -> bool {
        self.blocked.is_some_and(|(_, until)| now < until)
    }

    /// Something was moved: what kept it from moving is over.
    pub(super) fn goes_on(&mut self) {
        self.blocked = None;
    }

    /// A data key could not be moved.
    pub(super) fn fail(&mut self, reason: Reason) {
        metrics::refused(reason);
        self.failing += 1;
        self.reason = Some(reason);
    }

    /// A pass over the side-cars is over.
    pub(super) fn end_pass(&mut self) {
        self.failed = std::mem::take(&mut self.failing);
        if self.failed == 0 {
            self.reason = None;
        }
    }

    /// How far it is.
    pub(super) fn told(&self, left: Left, cursor: Option<u64>) -> ToldRewrap {
        let RunningRewrap { key_id, number, .. } = self.asked;
        ToldRewrap {
            key_id,
            number,
            left: left.closed.saturating_add(left.open),
            leased: !self.settled,
            cursor,
            failed: self.failed.max(self.failing),
            reason: self.blocked.map(|(reason, _)| reason).or(self.reason),
        }
    }
}
