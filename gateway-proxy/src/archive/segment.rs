//! One segment file and its side-car on disk. Called by the writer.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use envelope::id::{DataKeyId, SegmentId};
use envelope::segment::{
    SEGMENT_HEADER_BYTES, SegmentHeader, SideCar, SideCarKey, segment_name, side_car_name,
};

/// The segment that is written to.
pub(super) struct Segment {
    dir: PathBuf,
    sequence: u64,
    file: File,
    /// Length up to the last commit.
    committed: u64,
    /// How much of what is to be committed next stands in the file.
    written: usize,
    side_car: SideCar,
    known: HashSet<DataKeyId>,
    first_keys: usize,
    begun: Instant,
}

/// A file that must be cut back to its last commit before anything else is written.
pub(super) struct Condemned {
    path: PathBuf,
    committed: u64,
}

/// How a commit failed.
pub(super) enum WriteError {
    /// Before everything was written; the same can be written again.
    NotWritten(io::Error),
    /// When it was made durable; what the file holds since the last commit is unknown.
    NotSynced(io::Error, Condemned),
}

/// Ends the name of a segment that is not whole yet.
pub(super) const UNFINISHED: &str = ".tmp";

impl Segment {
    /// Makes a segment with its first entries. When this returns it is durable, side-car first.
    pub(super) fn create(
        dir: &Path,
        sequence: u64,
        now_ms: u64,
        entries: &[u8],
        keys: &[Arc<SideCarKey>],
    ) -> io::Result<Self> {
        let header = SegmentHeader {
            segment_id: SegmentId::random(),
            created_ms: now_ms,
        };
        let side_car = SideCar {
            segment_id: header.segment_id,
            keys: keys.iter().map(|key| key.as_ref().clone()).collect(),
        };
        sys::file::write_atomic(
            &dir.join(side_car_name(sequence)),
            &side_car.encode(),
            0o600,
        )?;
        let name = segment_name(sequence);
        let unfinished = dir.join(format!(".{name}{UNFINISHED}"));
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600);
        let mut file = options.open(&unfinished)?;
        file.write_all(&header.encode())?;
        file.write_all(entries)?;
        file.sync_all()?;
        fs::rename(&unfinished, dir.join(name))?;
        sys::file::sync_dir(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
            sequence,
            file,
            committed: (SEGMENT_HEADER_BYTES + entries.len()) as u64,
            written: 0,
            known: keys.iter().map(|key| key.data_key_id).collect(),
            first_keys: keys.len(),
            side_car,
            begun: sys::clock::monotonic(),
        })
    }

    /// Writes what of `pending` is not in the file yet, behind the last commit; side-car first.
    pub(super) fn write(&mut self, pending: &[u8], keys: &[Arc<SideCarKey>]) -> io::Result<()> {
        self.add_keys(keys)?;
        let at = self.committed + self.written as u64;
        self.file.write_all_at(&pending[self.written..], at)?;
        self.written = pending.len();
        Ok(())
    }

    /// Makes `pending` durable.
    pub(super) fn commit(
        &mut self,
        pending: &[u8],
        keys: &[Arc<SideCarKey>],
    ) -> Result<(), WriteError> {
        self.write(pending, keys).map_err(WriteError::NotWritten)?;
        self.file.sync_data().map_err(|error| {
            let path = self.dir.join(segment_name(self.sequence));
            WriteError::NotSynced(
                error,
                Condemned {
                    path,
                    committed: self.committed,
                },
            )
        })?;
        self.committed += pending.len() as u64;
        self.written = 0;
        Ok(())
    }

    /// Lets the next commit fail when it is made durable: `/dev/null` takes every write and refuses
    /// to be synced.
    #[cfg(test)]
    pub(super) fn refuse_sync(&mut self) {
        let mut options = OpenOptions::new();
        self.file = options.write(true).open("/dev/null").unwrap();
    }

    pub(super) fn written(&self) -> usize {
        self.written
    }

    pub(super) fn committed_bytes(&self) -> u64 {
        self.committed
    }

    /// Data keys that came after the segment began.
    pub(super) fn added_keys(&self) -> usize {
        self.known.len() - self.first_keys
    }

    pub(super) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Replaces the side-car when there are new keys: durable before any of their fragments.
    fn add_keys(&mut self, keys: &[Arc<SideCarKey>]) -> io::Result<()> {
        let new = keys
            .iter()
            .filter(|key| !self.known.contains(&key.data_key_id));
        let new: Vec<SideCarKey> = new.map(|key| key.as_ref().clone()).collect();
        if new.is_empty() {
            return Ok(());
        }
        let before = self.side_car.keys.len();
        self.side_car.keys.extend(new);
        let path = self.dir.join(side_car_name(self.sequence));
        if let Err(error) = sys::file::write_atomic(&path, &self.side_car.encode(), 0o600) {
            self.side_car.keys.truncate(before);
            return Err(error);
        }
        self.known.extend(
            self.side_car.keys[before..]
                .iter()
                .map(|key| key.data_key_id),
        );
        Ok(())
    }
}

impl Condemned {
    /// Cuts the file back to its last commit.
    pub(super) fn cut(&self) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(&self.path)?;
        file.set_len(self.committed)?;
        file.sync_all()
    }
}
