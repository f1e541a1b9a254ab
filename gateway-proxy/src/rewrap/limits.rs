//! Every limit of rewrapping.

use std::time::Duration;

/// Data keys that the KMS is asked to move at once.
pub(super) const BATCH: usize = 256;

/// Data keys that are moved before their side-car is replaced.
pub(super) const STEP_KEYS: usize = 1_024;

/// A step moves no more data keys than so many seconds of the job's rate allow, so that a job is
/// never deaf for longer, and a slow one gets somewhere between two restarts.
pub(super) const STEP_SECONDS: u32 = 4;

/// Keys of one report, and ranges of versions of all of them together.
pub(super) const REPORT_KEYS: usize = 256;
pub(super) const REPORT_RANGES: usize = 4_096;

/// Versions of one key that are told each by itself; those above are told together.
pub(super) const RANGES_MAX: usize = 1_024;

/// Data keys that could not be moved in one pass and are remembered until its end.
pub(super) const REFUSED_MAX: usize = 16_384;

/// How long to wait for what.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    /// Between two looks while a job runs.
    pub(super) busy: Duration,
    /// Between two looks while none runs.
    pub(super) quiet: Duration,
    /// For so long moving goes on between two looks.
    pub(super) stretch: Duration,
    /// What has not changed is told again so often, so that it is known to be true still.
    pub(super) confirm: Duration,
    /// From when no lease is older than the job until everything begun under one is in a side-car:
    /// longer than an object waits for its label and its commit.
    pub(super) settle: Duration,
    /// Before a job that the KMS or the disk refuses is tried again.
    pub(super) blocked: Duration,
    /// Before data keys that could not be moved, and side-cars that could not be read, are tried
    /// again.
    pub(super) again: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            busy: Duration::from_secs(1),
            quiet: Duration::from_secs(3),
            stretch: Duration::from_secs(1),
            confirm: Duration::from_secs(60),
            settle: Duration::from_secs(2),
            blocked: Duration::from_secs(10),
            again: Duration::from_secs(60),
        }
    }
}

const _: () = assert!(RANGES_MAX <= REPORT_RANGES && BATCH <= STEP_KEYS);
