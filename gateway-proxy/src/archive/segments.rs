//! Which segments the archive's thread writes no more: their side-cars have another owner, who
//! moves their data keys to newer versions. So each side-car has one writer at any time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::queue::Inlet;

/// The number of the first segment that the archive's thread may still write; 0 until it knows.
#[derive(Clone, Default)]
pub(super) struct OpenFrom(Arc<AtomicU64>);

impl OpenFrom {
    /// Gives up every segment before `sequence`. Never less than before.
    pub(super) fn give_up_before(&self, sequence: u64) {
        self.0.fetch_max(sequence, Ordering::AcqRel);
    }
}

/// The segments of a running archive.
#[derive(Clone)]
pub struct Segments {
    pub(super) dir: PathBuf,
    pub(super) open_from: OpenFrom,
    pub(super) inlet: Arc<Inlet>,
}

impl Segments {
    /// Where they are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The first number that the archive's thread may still write. Segments below it, and their
    /// side-cars, it touches no more.
    #[must_use]
    pub fn open_from(&self) -> u64 {
        self.open_from.0.load(Ordering::Acquire)
    }

    /// Asks the archive's thread to let the segment that it writes be followed by another.
    pub fn end_open(&self) {
        self.inlet.end_segment();
    }
}
