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

use sys::crash::{self, Point};

use super::AuditError;
use super::chain::Head;
use super::disk::{Disk, DiskFile};
use super::files::{self, ScanError, Scanned};
use super::key::{CheckpointKey, LogName};
use super::line::{self, Opening};
use super::record::AuditRecord;

/// The log of one node.
pub(super) struct Log {
    settings: Settings,
    file: Box<dyn DiskFile>,
    /// The name of the current file.
    file_name: String,
    /// Where the next line goes; everything before it is durable and in the chain.
    bytes: u64,
    head: Head,
    /// The newest checkpoint line; equal to the head when there is nothing to sign.
    checkpoint: Option<Head>,
    condition: Condition,
}

/// Where, for whom and how a log is written.
pub(super) struct Settings {
    pub(super) dir: PathBuf,
    pub(super) name: LogName,
    pub(super) key: CheckpointKey,
    pub(super) file_bytes_max: u64,
    pub(super) disk: Box<dyn Disk>,
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
    /// Opens the log, or begins one; what a crash left half-written is cut off, and a line says
    /// so.
    pub(super) fn open(mut settings: Settings) -> Result<Self, AuditError> {
        let tail = Tail::find(&settings.dir)?;
        let (begin, file_name, head, checkpoint, bytes, torn) = match tail {
            Tail::Append { path, found } => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let (whole, torn) = (found.whole_bytes, found.torn_bytes);
                (
                    None,
                    name.into_owned(),
                    found.head,
                    found.checkpoint,
                    whole,
                    torn,
                )
            }
            Tail::Begin { head, why } => {
                let name = files::file_name(head.sequence + 1);
                (Some(why), name, head, None, 0, 0)
            }
        };
        let path = settings.dir.join(&file_name);
        let opened = settings.disk.open(&path, begin.is_some());
        let mut file = opened.map_err(unavailable)?;
        // What a crash left half-written was never answered.
        file.truncate(bytes).map_err(unavailable)?;
        let mut log = Self {
            settings,
            file,
            file_name,
            bytes,
            head,
            checkpoint,
            condition: Condition::Sound,
        };
        if let Some(why) = begin {
            log.write_opening(why)?;
        }
        if torn > 0 {
            let mut head = log.head;
            let line = line::torn_tail(sys::clock::wall_ms(), torn, &mut head);
            log.append(&line, head)?;
        }
        Ok(log)
    }

    /// The newest durable line.
    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// The newest checkpoint line that is durable.
    pub(super) fn checkpoint(&self) -> Option<Head> {
        self.checkpoint
    }

    /// The current file's name, and how much of it is durable.
    pub(super) fn place(&self) -> (&str, u64) {
        (&self.file_name, self.bytes)
    }

    /// Makes all `records` durable, or none of them counts; with `sign`, a checkpoint behind
    /// them unless the head is one already. Answers the first record's sequence.
    pub(super) fn commit(
        &mut self,
        records: &[AuditRecord],
        sign: bool,
    ) -> Result<u64, AuditError> {
        if records.is_empty() && self.condition == Condition::Sound {
            self.look()?;
        }
        self.recover()?;
        if self.bytes >= self.settings.file_bytes_max {
            // Each file ends in a signed line, so that it can be judged on its own.
            self.append_all(&[], true)?;
            self.next_file(Opening::Rotation)?;
        }
        let first = self.head.sequence + 1;
        self.append_all(records, sign)?;
        Ok(first)
    }

    fn append_all(&mut self, records: &[AuditRecord], sign: bool) -> Result<(), AuditError> {
        let mut head = self.head;
        let mut lines = Vec::new();
        for record in records {
            lines.extend_from_slice(&line::call(record, &mut head));
        }
        let sign = sign && Some(head) != self.checkpoint;
        if sign {
            let now_ms = sys::clock::wall_ms();
            lines.extend_from_slice(&line::checkpoint(&self.settings.key, now_ms, &mut head));
        }
        if lines.is_empty() {
            return Ok(());
        }
        self.append(&lines, head)?;
        if sign {
            self.checkpoint = Some(head);
            metrics::counter!("ward_audit_checkpoints_total").increment(1);
        }
        Ok(())
    }

    /// Notices a file that was taken away, also while there is nothing to write.
    fn look(&mut self) -> Result<(), AuditError> {
        if self.file.is_in_place().map_err(unavailable)? {
            return Ok(());
        }
        self.condition = Condition::Lost;
        Err(AuditError::Lost)
    }

    /// Writes, syncs, and only then moves the head.
    fn append(&mut self, lines: &[u8], head: Head) -> Result<(), AuditError> {
        self.condition = Condition::Unsure;
        self.file.write_at(self.bytes, lines).map_err(unavailable)?;
        self.condition = Condition::Unsynced;
        let begun = sys::clock::monotonic();
        crash::at(Point::AuditUnsynced);
        self.file.sync().map_err(unavailable)?;
        metrics::histogram!("ward_audit_sync_seconds").record(begun.elapsed().as_secs_f64());
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
        let file_name = files::file_name(self.head.sequence + 1);
        let path = self.settings.dir.join(&file_name);
        let file = self.settings.disk.open(&path, true).map_err(unavailable)?;
        let former = (
            std::mem::replace(&mut self.file, file),
            std::mem::replace(&mut self.file_name, file_name),
            std::mem::replace(&mut self.bytes, 0),
            self.condition,
        );
        let opened = self.write_opening(why);
        if opened.is_err() {
            (self.file, self.file_name, self.bytes, self.condition) = former;
        }
        opened
    }

    fn write_opening(&mut self, why: Opening) -> Result<(), AuditError> {
        let mut head = self.head;
        let line = line::opening(&self.settings.name, sys::clock::wall_ms(), why, &mut head);
        self.append(&line, head)
    }
}

/// Where to go on after a start.
enum Tail {
    /// In the newest file.
    Append { path: PathBuf, found: Scanned },
    /// In a new file.
    Begin { head: Head, why: Opening },
}

impl Tail {
    fn find(dir: &Path) -> Result<Self, AuditError> {
        let mut files = files::list(dir).map_err(unreadable)?;
        while let Some(path) = files.pop() {
            match files::scan(&path) {
                // A crash came between making the file and its first line: as if never made.
                Ok(found) if found.whole_bytes == 0 => {
                    files::set_aside(&path).map_err(unavailable)?;
                }
                Ok(found) => return Ok(Self::Append { path, found }),
                Err(ScanError::Broken {
                    path,
                    line,
                    problem,
                    ..
                }) => {
                    tracing::error!(?path, line, %problem, "the audit log was changed from outside");
                    let head = files::last_readable(&path).map_err(unreadable)?;
                    return Ok(Self::Begin {
                        head,
                        why: Opening::FormerChainBroken,
                    });
                }
                Err(error @ ScanError::Read { .. }) => return Err(unreadable(error)),
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

fn unreadable(error: ScanError) -> AuditError {
    AuditError::Unreadable(Arc::new(error))
}
