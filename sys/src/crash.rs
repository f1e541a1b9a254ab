//! Named points at which a test ends the process, as a power cut would between two instructions.
//!
//! Compiled out unless the feature `crash-points` is on, which only the tests of whole clusters
//! turn on. `FAILPOINTS="log-written=40*off->return"` ends the process the 41st time that it passes
//! there.

/// A point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// Before a group of jobs goes to the log.
    LogUnwritten,
    /// They are durable, and nobody was told.
    LogWritten,
    /// Entries are told to be durable.
    LogTold,
    /// A vote is told to be durable.
    VoteTold,
    /// Before the log forgets what is purged, or what is void.
    LogUncut,
    /// It has forgotten, and nobody was told.
    LogCut,
    /// Before a chunk of entries is applied.
    Unapplied,
    /// It is in the index, not in the store.
    Indexed,
    /// It is in the store, and not published.
    Stored,
    /// It is published, and nobody was answered.
    Published,
    /// A snapshot has its first records.
    SnapshotBegun,
    /// It is whole, and not synced.
    SnapshotWritten,
    /// It is synced under its temporary name.
    SnapshotSynced,
    /// It has its name, which is not synced.
    SnapshotRenamed,
    /// It is the newest, and the former one is still there.
    SnapshotKept,
    /// One of a leader is on the shelf, and the store is the former.
    SnapshotInstalled,
    /// The store began anew, and the index is the former.
    StoreRestarted,
    /// Before superfluous generations are dropped.
    GenerationsLeft,
    /// Before audit records are written.
    AuditUnwritten,
    /// They are written, and not synced.
    AuditUnsynced,
    /// They are durable, and nobody was told.
    AuditSynced,
    /// A file is written under its temporary name.
    FileWritten,
    /// It has its name, which is not synced.
    FileRenamed,
}

impl Point {
    /// All points.
    pub const ALL: [Self; 23] = [
        Self::LogUnwritten,
        Self::LogWritten,
        Self::LogTold,
        Self::VoteTold,
        Self::LogUncut,
        Self::LogCut,
        Self::Unapplied,
        Self::Indexed,
        Self::Stored,
        Self::Published,
        Self::SnapshotBegun,
        Self::SnapshotWritten,
        Self::SnapshotSynced,
        Self::SnapshotRenamed,
        Self::SnapshotKept,
        Self::SnapshotInstalled,
        Self::StoreRestarted,
        Self::GenerationsLeft,
        Self::AuditUnwritten,
        Self::AuditUnsynced,
        Self::AuditSynced,
        Self::FileWritten,
        Self::FileRenamed,
    ];

    /// Its name in `FAILPOINTS`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LogUnwritten => "log-unwritten",
            Self::LogWritten => "log-written",
            Self::LogTold => "log-told",
            Self::VoteTold => "vote-told",
            Self::LogUncut => "log-uncut",
            Self::LogCut => "log-cut",
            Self::Unapplied => "unapplied",
            Self::Indexed => "indexed",
            Self::Stored => "stored",
            Self::Published => "published",
            Self::SnapshotBegun => "snapshot-begun",
            Self::SnapshotWritten => "snapshot-written",
            Self::SnapshotSynced => "snapshot-synced",
            Self::SnapshotRenamed => "snapshot-renamed",
            Self::SnapshotKept => "snapshot-kept",
            Self::SnapshotInstalled => "snapshot-installed",
            Self::StoreRestarted => "store-restarted",
            Self::GenerationsLeft => "generations-left",
            Self::AuditUnwritten => "audit-unwritten",
            Self::AuditUnsynced => "audit-unsynced",
            Self::AuditSynced => "audit-synced",
            Self::FileWritten => "file-written",
            Self::FileRenamed => "file-renamed",
        }
    }
}

/// Ends the process here if a test asked for it.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub fn at(_point: Point) {}

/// Ends the process here if a test asked for it.
#[cfg(feature = "crash-points")]
pub fn at(point: Point) {
    static ARMED: std::sync::Once = std::sync::Once::new();
    // Reads the environment once; what it holds lasts as long as the process.
    ARMED.call_once(|| std::mem::forget(fail::FailScenario::setup()));
    fail::fail_point!(point.name(), |_| std::process::abort());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_points_share_a_name() {
        let names: std::collections::BTreeSet<_> =
            Point::ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), Point::ALL.len());
        // The list is complete: a variant more than the list would have this discriminant.
        assert_eq!(Point::FileRenamed as usize + 1, Point::ALL.len());
    }
}
