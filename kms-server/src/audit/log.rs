//! The files as one append-only log: append a batch, rotate, and recover from what goes wrong.
//! Owned by the writer's thread; everything here blocks.
//!
//! ```text
//!            commit ok                        commit ok
//!   Sound ───────────────▶ Sound     Unsure ──────────────▶ (cut back, go on) Sound
//!     │ write failed ─────▶ Unsure   Unsynced ─────────────▶ (cut back, next file) Sound
//!     │ sync failed ──────▶ Unsynced Lost ─────────────────▶ (next file) Sound
//!     └ deleted or moved ─▶ Lost
//! ```
//! After a failed sync the kernel may have dropped the pages and call a second sync a success,
//! so that file is never synced again as if nothing had been.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::AuditError;
use super::chain::{self, Head, VerifiedFile, VerifyError};
use super::disk::{Disk, DiskFile};
use super::line::{self, Opening};
use super::record::AuditRecord;

/// The log of one node.
pub(super) struct Log {
    dir: PathBuf,
    node: String,
    file_bytes_max: u64,
    disk: Box<dyn Disk>,
    file: Box<dyn DiskFile>,
    /// Where the next line goes; everything before it is durable and in the chain.
    bytes: u64,
    head: Head,
    condition: Condition,
}

/// What is known of the current file beyond `bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    /// Nothing is there.
    Sound,
    /// Parts of a failed write may be there.
    Unsure,
    /// A sync failed.
    Unsynced,
    /// The file is not at its path any more.
    Lost,
}

impl Log {
    /// Opens the log in `dir`, or begins one, and cuts off what a crash left half-written.
    pub(super) fn open(
        dir: &Path,
        node: &str,
        file_bytes_max: u64,
        mut disk: Box<dyn Disk>,
    ) -> Result<Self, AuditError> {
        let (path, bytes, head, why) = match Tail::find(dir)? {
            Tail::Append { path, whole } => (path, whole.whole_bytes, whole.head, None),
            Tail::Begin { head, why } => (
                dir.join(chain::file_name(head.sequence + 1)),
                0,
                head,
                Some(why),
            ),
        };
        let mut file = disk.open(&path, why.is_some()).map_err(unavailable)?;
        // What a crash left half-written was never answered.
        file.truncate(bytes).map_err(unavailable)?;
        let (dir, node, condition) = (dir.to_owned(), node.to_owned(), Condition::Sound);
        let mut log = Self {
            dir,
            node,
            file_bytes_max,
            disk,
            file,
            bytes,
            head,
            condition,
        };
        if let Some(why) = why {
            log.write_opening(why)?;
        }
        Ok(log)
    }

    /// The newest durable line.
    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// Makes all `records` durable, or none of them counts. Answers the first one's sequence.
    pub(super) fn commit(&mut self, records: &[AuditRecord]) -> Result<u64, AuditError> {
        self.recover()?;
        if self.bytes >= self.file_bytes_max {
            self.next_file(Opening::Rotation)?;
        }
        let mut head = self.head;
        let mut lines = Vec::new();
        for record in records {
            lines.extend_from_slice(&line::call(record, &mut head));
        }
        let first = self.head.sequence + 1;
        self.append(&lines, head)?;
        Ok(first)
    }

    /// Writes, syncs, and only then moves the head.
    fn append(&mut self, lines: &[u8], head: Head) -> Result<(), AuditError> {
        self.condition = Condition::Unsure;
        self.file.write_at(self.bytes, lines).map_err(unavailable)?;
        self.condition = Condition::Unsynced;
        self.file.sync().map_err(unavailable)?;
        // After the sync, so that what is answered was in the file at its path.
        self.condition = Condition::Unsure;
        if !self.file.is_in_place().map_err(unavailable)? {
            self.condition = Condition::Lost;
            return Err(AuditError::Lost);
        }
        self.condition = Condition::Sound;
        self.bytes += lines.len() as u64;
        self.head = head;
        Ok(())
    }

    /// Brings the log back to a state that can be written, or says why that is not possible yet.
    fn recover(&mut self) -> Result<(), AuditError> {
        match self.condition {
            Condition::Sound => Ok(()),
            Condition::Unsure => {
                self.file.truncate(self.bytes).map_err(unavailable)?;
                self.condition = Condition::Sound;
                Ok(())
            }
            Condition::Unsynced => {
                self.file.truncate(self.bytes).map_err(unavailable)?;
                self.next_file(Opening::AfterFailure)
            }
            Condition::Lost => self.next_file(Opening::FormerFileMissing),
        }
    }

    /// Begins the next file. Its name is the next sequence, which no answered record has, so
    /// what an earlier failed attempt left under that name may be emptied.
    fn next_file(&mut self, why: Opening) -> Result<(), AuditError> {
        let path = self.dir.join(chain::file_name(self.head.sequence + 1));
        let mut file = self.disk.open(&path, true).map_err(unavailable)?;
        std::mem::swap(&mut self.file, &mut file);
        let (former, former_bytes, condition) = (file, self.bytes, self.condition);
        self.bytes = 0;
        if let Err(error) = self.write_opening(why) {
            (self.file, self.bytes, self.condition) = (former, former_bytes, condition);
            return Err(error);
        }
        Ok(())
    }

    fn write_opening(&mut self, why: Opening) -> Result<(), AuditError> {
        let mut head = self.head;
        let line = line::opening(&self.node, sys::clock::wall_ms(), why, &mut head);
        self.append(&line, head)
    }
}

/// Where to go on after a start.
enum Tail {
    /// In the newest file.
    Append { path: PathBuf, whole: VerifiedFile },
    /// In a new file.
    Begin { head: Head, why: Opening },
}

impl Tail {
    fn find(dir: &Path) -> Result<Self, AuditError> {
        let mut files = chain::files(dir).map_err(unreadable)?;
        while let Some(path) = files.pop() {
            match chain::verify_file(&path, None) {
                // A crash came between making the file and its first line: as if never made.
                Ok(whole) if whole.whole_bytes == 0 => {
                    std::fs::remove_file(&path).map_err(unavailable)?;
                }
                Ok(whole) => return Ok(Self::Append { path, whole }),
                Err(VerifyError::Broken {
                    path,
                    line,
                    problem,
                    ..
                }) => {
                    tracing::error!(?path, line, %problem, "the audit log was changed from outside");
                    let head = chain::last_readable(&path).map_err(unreadable)?;
                    return Ok(Self::Begin {
                        head,
                        why: Opening::FormerChainBroken,
                    });
                }
                Err(error @ VerifyError::Read { .. }) => return Err(unreadable(error)),
            }
        }
        Ok(Self::Begin {
            head: Head::EMPTY,
            why: Opening::New,
        })
    }
}

fn unavailable(error: std::io::Error) -> AuditError {
    AuditError::Disk(Arc::new(error))
}

fn unreadable(error: VerifyError) -> AuditError {
    AuditError::Unreadable(Arc::new(error))
}
