//! Room on the disk: writes are refused before the last of it is gone, so that votes, snapshots
//! and the audit log still find some, and reads go on.

use std::path::PathBuf;
use std::sync::Weak;

use super::limits::{DISK_RESERVE_BYTES_MAX, DISK_RESERVE_DIVISOR};
use crate::raft::LogShared;

/// Watches the file system of the data directory.
#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
    log: Weak<LogShared>,
}

impl Disk {
    pub(super) fn new(dir: PathBuf, log: Weak<LogShared>) -> Self {
        Self { dir, log }
    }

    /// Whether a write may be begun. What cannot be found out does not stop it: the log will say.
    pub(super) fn has_room(&self) -> bool {
        if self.log.upgrade().is_some_and(|log| log.is_full()) {
            return false;
        }
        let Ok(found) = rustix::fs::statvfs(&self.dir) else {
            return true;
        };
        let total = found.f_blocks.saturating_mul(found.f_frsize);
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        is_enough(free, total)
    }
}

fn is_enough(free: u64, total: u64) -> bool {
    free >= (total / DISK_RESERVE_DIVISOR).min(DISK_RESERVE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn a_reserve_of_a_twentieth_or_64_mib_stays() {
        assert!(is_enough(64 * MIB, 1_000_000 * MIB));
        assert!(!is_enough(64 * MIB - 1, 1_000_000 * MIB));
        assert!(is_enough(5 * MIB, 100 * MIB));
        assert!(!is_enough(5 * MIB - 1, 100 * MIB));
    }
}
