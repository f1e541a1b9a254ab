//! raft-engine, wrapped: what is stored under which name, and in what form.
//!
//! One group. Entries are byte strings: the index (8 bytes, big-endian), then postcard of
//! openraft's entry. Beside them a few named values: format, vote, committed, purge mark, and
//! `void_from`, from which index on entries do not count after a truncation (raft-engine truncates
//! only when it appends).

use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use openraft::alias::{EntryOf, LogIdOf, VoteOf};
use openraft::entry::{EntryPayload, RaftEntry};
use protobuf::well_known_types::BytesValue;
use raft_engine::{Command, Config, Engine, LogBatch, MessageExt, ReadableSize, RecoveryMode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::tail::Tail;
use super::torn::Torn;
use crate::raft::TypeConfig;
use crate::replica::limits::{LOG_FILE_BYTES, LOG_PURGE_BYTES};
use crate::state::{FORMAT_FIRST, FORMAT_VERSION};

/// The one Raft group of this node's engine.
const GROUP: u64 = 1;

const FORMAT: &[u8] = b"format";
const VOTE: &[u8] = b"vote";
const COMMITTED: &[u8] = b"committed";
const PURGED: &[u8] = b"purged";
const VOID_FROM: &[u8] = b"void_from";

/// Why the log was not opened.
#[derive(Debug, Error)]
pub(crate) enum EngineError {
    /// Written by a newer version.
    #[error("the log has format version {0}")]
    Newer(u32),
    /// Not what it should be.
    #[error("the log is damaged")]
    Damaged(#[source] io::Error),
}

/// An entry in its stored form.
#[derive(Clone, Debug)]
pub(super) struct StoredEntry {
    pub(super) index: u64,
    /// The oldest format whose programs can read it.
    format: u32,
    message: BytesValue,
}

impl StoredEntry {
    pub(super) fn new(entry: &EntryOf<TypeConfig>) -> io::Result<Self> {
        let index = entry.index();
        let mut message = BytesValue::new();
        message.value =
            postcard::to_extend(entry, index.to_be_bytes().to_vec()).map_err(damaged)?;
        let format = match &entry.payload {
            EntryPayload::Normal(proposal) => proposal.command.format(),
            EntryPayload::Blank | EntryPayload::Membership(_) => FORMAT_FIRST,
        };
        Ok(Self {
            index,
            format,
            message,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.message.value.len()
    }
}

struct Entries;

impl MessageExt for Entries {
    type Entry = BytesValue;

    fn index(entry: &BytesValue) -> u64 {
        entry
            .value
            .first_chunk()
            .map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }
}

/// What one write to the engine holds; all of it is durable, or none.
#[derive(Default)]
pub(super) struct Batch {
    log: LogBatch,
    /// The newest format that any of its entries needs.
    format: u32,
}

impl Batch {
    pub(super) fn append(&mut self, entries: &[StoredEntry]) -> io::Result<()> {
        let messages: Vec<BytesValue> = entries.iter().map(|e| e.message.clone()).collect();
        let formats = entries.iter().map(|entry| entry.format);
        self.format = formats.fold(self.format, u32::max);
        // What comes after a truncation replaces it.
        self.log.delete(GROUP, VOID_FROM.to_vec());
        self.log
            .add_entries::<Entries>(GROUP, &messages)
            .map_err(engine_error)
    }

    pub(super) fn vote(&mut self, vote: &VoteOf<TypeConfig>) -> io::Result<()> {
        self.put(VOTE, vote)
    }

    pub(super) fn committed(&mut self, committed: &Option<LogIdOf<TypeConfig>>) -> io::Result<()> {
        self.put(COMMITTED, committed)
    }

    pub(super) fn void_from(&mut self, index: u64) -> io::Result<()> {
        self.put(VOID_FROM, &index)
    }

    pub(super) fn purge(&mut self, purged: &LogIdOf<TypeConfig>) -> io::Result<()> {
        self.put(PURGED, purged)?;
        let index = purged.index + 1;
        self.log.add_command(GROUP, Command::Compact { index });
        Ok(())
    }

    /// Says beside the entries what they need: a program that does not know one of them shall say
    /// that it is too old, and not that the log is damaged.
    fn set_format(&mut self, version: u32) -> io::Result<()> {
        self.put(FORMAT, &version)
    }

    fn put(&mut self, name: &[u8], value: &impl Serialize) -> io::Result<()> {
        let bytes = postcard::to_stdvec(value).map_err(damaged)?;
        self.log
            .put(GROUP, name.to_vec(), bytes)
            .map_err(engine_error)
    }
}

/// What was found when the log was opened.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    pub(super) vote: Option<VoteOf<TypeConfig>>,
    pub(super) committed: Option<LogIdOf<TypeConfig>>,
    pub(super) purged: Option<LogIdOf<TypeConfig>>,
    pub(super) last: Option<LogIdOf<TypeConfig>>,
    /// Bytes at the end of a newest file were not whole and were dropped, at this start or at a
    /// former one after which the node has not caught up. After a power cut this is the write
    /// that was never acknowledged; it can also be damage.
    pub(super) tail_dropped: bool,
}

/// The engine, open.
pub(super) struct LogEngine {
    engine: Engine,
    /// What the log says that it needs.
    format: AtomicU32,
}

impl LogEngine {
    /// Opens the log in `dir`, or makes a new one; `torn` stands afterwards if the log lost its
    /// end, now or at a former start after which the node has not caught up.
    pub(super) fn open(dir: &Path, torn: &Torn) -> Result<(Self, Recovered), EngineError> {
        sys::file::create_dirs(dir, 0o700).map_err(EngineError::Damaged)?;
        let (engine, tail_dropped) = open_marked(dir, torn).map_err(EngineError::Damaged)?;
        // The engine leaves the name of its first file to chance.
        sys::file::sync_dir(dir).map_err(EngineError::Damaged)?;
        let log = Self {
            engine,
            format: AtomicU32::new(0),
        };
        log.check_format()?;
        let mut recovered = log.recover().map_err(EngineError::Damaged)?;
        recovered.tail_dropped = tail_dropped;
        Ok((log, recovered))
    }

    /// Writes a batch; when `durable`, answers after it is. A panic of the engine, which is how it
    /// reports a failed fsync, becomes an error: after one, what is on disk is unknown.
    pub(super) fn write(&self, mut batch: Batch, durable: bool) -> io::Result<()> {
        let format = batch.format.max(FORMAT_FIRST);
        let rises = format > self.format.load(Ordering::Relaxed);
        if rises {
            batch.set_format(format)?;
        }
        let written = catch_unwind(AssertUnwindSafe(|| {
            self.engine.write(&mut batch.log, durable)
        }));
        match written {
            Ok(result) => result.map(drop).map_err(engine_error)?,
            Err(_) => return Err(io::Error::other(FSYNC_FAILED)),
        }
        if rises {
            self.format.store(format, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Entries of a range that is known to be on disk; with `bytes_max`, perhaps only its
    /// beginning, one entry at least.
    pub(super) fn read(
        &self,
        range: Range<u64>,
        bytes_max: Option<usize>,
    ) -> io::Result<Vec<EntryOf<TypeConfig>>> {
        // The first entry of all may stand above the purge mark.
        let first = self.engine.first_index(GROUP).unwrap_or(range.end);
        let (start, end) = (range.start.max(first), range.end);
        let mut messages = Vec::new();
        self.engine
            .fetch_entries_to::<Entries>(GROUP, start, end, bytes_max, &mut messages)
            .map_err(engine_error)?;
        messages.iter().map(decode).collect()
    }

    /// Removes files that hold nothing but purged entries.
    pub(super) fn remove_expired(&self) -> io::Result<()> {
        self.engine
            .purge_expired_files()
            .map(drop)
            .map_err(engine_error)
    }

    fn check_format(&self) -> Result<(), EngineError> {
        let found: Option<u32> = self.get(FORMAT).map_err(EngineError::Damaged)?;
        match found {
            Some(version) if version > FORMAT_VERSION => Err(EngineError::Newer(version)),
            Some(version) => {
                self.format.store(version, Ordering::Relaxed);
                Ok(())
            }
            // A new log: the first write says what it needs, and this is it.
            None => self
                .write(Batch::default(), true)
                .map_err(EngineError::Damaged),
        }
    }

    fn recover(&self) -> io::Result<Recovered> {
        let purged: Option<LogIdOf<TypeConfig>> = self.get(PURGED)?;
        let last = match self.counted()? {
            None => None,
            Some(index) => self.read(index..index + 1, None)?.pop(),
        };
        let last = last.map(|entry| entry.log_id());
        let last = last.max(purged);
        let committed: Option<LogIdOf<TypeConfig>> = self
            .get::<Option<LogIdOf<TypeConfig>>>(COMMITTED)?
            .flatten();
        Ok(Recovered {
            vote: self.get(VOTE)?,
            // Written without fsync: it may name more than the log still holds.
            committed: committed.min(last),
            purged,
            last,
            tail_dropped: false,
        })
    }

    /// The index of the last entry that counts, if any does.
    fn counted(&self) -> io::Result<Option<u64>> {
        let void_from: u64 = self.get(VOID_FROM)?.unwrap_or(u64::MAX);
        let end = match self.engine.last_index(GROUP) {
            None => return Ok(None),
            Some(stored) => void_from.min(stored + 1),
        };
        let first = self.engine.first_index(GROUP).unwrap_or(end);
        Ok((first < end).then(|| end - 1))
    }

    fn get<T: DeserializeOwned>(&self, name: &[u8]) -> io::Result<Option<T>> {
        let bytes = self.engine.get(GROUP, name);
        bytes
            .map(|bytes| postcard::from_bytes(&bytes).map_err(damaged))
            .transpose()
    }
}

/// The text of the error that stops the log for good.
const FSYNC_FAILED: &str = "the log could not be made durable; what is on disk is unknown";

/// Opens the engine under the mark; answers whether the log lost its end.
fn open_marked(dir: &Path, torn: &Torn) -> io::Result<(Engine, bool)> {
    let tail = Tail::before_open(dir)?;
    let was_torn = torn.is_set()?;
    if tail.holds_data() && !was_torn {
        torn.set()?;
    }
    let opened = open_engine(dir);
    let is_torn = was_torn || tail.was_dropped();
    if !is_torn {
        torn.clear()?;
    }
    Ok((opened?, is_torn))
}

fn open_engine(dir: &Path) -> io::Result<Engine> {
    let config = Config {
        dir: dir.to_string_lossy().into_owned(),
        // What is not whole at the end of the newest file is dropped (see `tail`); damage
        // anywhere else is an error.
        recovery_mode: RecoveryMode::TolerateTailCorruption,
        recovery_threads: 2,
        // Ciphertext does not compress.
        batch_compression_threshold: ReadableSize(0),
        target_file_size: ReadableSize(LOG_FILE_BYTES),
        purge_threshold: ReadableSize(LOG_PURGE_BYTES),
        // A recycled file would keep purged bytes, sealed records of destroyed keys among them.
        enable_log_recycle: false,
        ..Config::default()
    };
    Engine::open(config).map_err(engine_error)
}

fn decode(message: &BytesValue) -> io::Result<EntryOf<TypeConfig>> {
    let bytes = message.value.get(size_of::<u64>()..).unwrap_or_default();
    postcard::from_bytes(bytes).map_err(damaged)
}

fn damaged(error: postcard::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn engine_error(error: raft_engine::Error) -> io::Error {
    match error {
        raft_engine::Error::Io(error) => error,
        // The engine's own way to say that the disk is full.
        raft_engine::Error::TryAgain(detail) => io::Error::new(io::ErrorKind::StorageFull, detail),
        error @ (raft_engine::Error::InvalidArgument(_)
        | raft_engine::Error::Corruption(_)
        | raft_engine::Error::Codec(_)
        | raft_engine::Error::Protobuf(_)
        | raft_engine::Error::EntryCompacted
        | raft_engine::Error::EntryNotFound
        | raft_engine::Error::Full
        | raft_engine::Error::Other(_)) => io::Error::other(error.to_string()),
    }
}

/// Writes another format version into a new log.
#[cfg(test)]
pub(crate) fn write_format(dir: &Path, version: u32) {
    let engine = open_engine(dir).unwrap();
    let mut batch = Batch::default();
    batch.set_format(version).unwrap();
    let format = AtomicU32::new(version);
    LogEngine { engine, format }.write(batch, true).unwrap();
}
