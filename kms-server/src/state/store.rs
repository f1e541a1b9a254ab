//! sled, holding the applied state: rebuildable at any time, trusted for nothing.
//!
//! One tree. Under each record's id: CRC-32 of id and record, then the record. Under [`APPLIED`]:
//! how far the log is applied, the number of records and the sum of their checksums, written in
//! the same batch as the records of the entries up to there. sled never fsyncs here: after a power
//! cut it is deleted and rebuilt from the last snapshot file and the log.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Applied, FORMAT_VERSION, Index, Record, RecordId};
use crate::command::Write;
use crate::replica::limits::{SLED_CACHE_BYTES, SLED_INSTALL_BATCH};

/// Not the beginning of any record id: those begin with the number of their variant.
const APPLIED: &[u8] = &[0xff];

/// The file in a store's directory that sled locks while it is open.
const SLED_FILE: &str = "db";

/// How long a dropped store may take to let go of it.
const FREE_PATIENCE: Duration = Duration::from_secs(5);
const FREE_POLL: Duration = Duration::from_millis(2);

/// What stands under [`APPLIED`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Summary {
    format_version: u32,
    applied: Applied,
    records: u64,
    checksums: u64,
}

/// The open store.
#[derive(Debug)]
pub(crate) struct Store {
    db: sled::Db,
    summary: Summary,
}

impl Store {
    /// Opens the store and reads everything it holds.
    ///
    /// # Errors
    ///
    /// On any doubt: the caller deletes the directory and opens a new one.
    pub(crate) fn open(dir: &Path) -> io::Result<(Self, Index)> {
        wait_until_free(dir)?;
        // sled panics on some kinds of damage.
        catch_unwind(AssertUnwindSafe(|| Self::open_and_load(dir)))
            .unwrap_or_else(|_| Err(doubt("sled panicked while opening")))
    }

    /// How far the log is applied.
    pub(crate) fn applied(&self) -> &Applied {
        &self.summary.applied
    }

    /// Begins to write what one entry after the other changes.
    pub(crate) fn begin(&mut self) -> Changes<'_> {
        Changes {
            summary: self.summary.clone(),
            store: self,
            batch: sled::Batch::default(),
            pending: HashMap::new(),
        }
    }

    /// Replaces everything. Until the end there is no summary, so that a store left half-way is
    /// doubted.
    pub(crate) fn replace(&mut self, index: &Index, applied: Applied) -> io::Result<()> {
        self.db.remove(APPLIED).map_err(sled_error)?;
        self.db.clear().map_err(sled_error)?;
        let mut summary = Summary {
            format_version: FORMAT_VERSION,
            applied,
            ..Summary::default()
        };
        let mut batch = sled::Batch::default();
        for (id, record) in index.range_after(None) {
            let key = encode(id)?;
            let value = seal(&key, record)?;
            summary.records += 1;
            summary.checksums = summary.checksums.wrapping_add(checksum_of(&value)?);
            batch.insert(key, value);
            if summary.records.is_multiple_of(SLED_INSTALL_BATCH) {
                let full = std::mem::take(&mut batch);
                self.db.apply_batch(full).map_err(sled_error)?;
            }
        }
        batch.insert(APPLIED, seal(APPLIED, &summary)?);
        self.db.apply_batch(batch).map_err(sled_error)?;
        self.summary = summary;
        Ok(())
    }

    /// Hands what is buffered to the kernel, so that the next start need not apply it again.
    pub(crate) fn flush(&self) -> io::Result<()> {
        self.db.flush().map(drop).map_err(sled_error)
    }

    fn open_and_load(dir: &Path) -> io::Result<(Self, Index)> {
        let db = sled::Config::new()
            .path(dir)
            .cache_capacity(SLED_CACHE_BYTES)
            .flush_every_ms(None)
            .open()
            .map_err(sled_error)?;
        let (summary, index) = load(&db)?;
        Ok((Self { db, summary }, index))
    }
}

/// What some entries changed, on its way into the store: all of it or nothing.
#[derive(Debug)]
pub(crate) struct Changes<'a> {
    store: &'a mut Store,
    summary: Summary,
    batch: sled::Batch,
    /// Each key in the batch with its value's checksum; none where it is removed.
    pending: HashMap<Vec<u8>, Option<u64>>,
}

impl Changes<'_> {
    /// How far the log is applied, with what was added.
    pub(crate) fn applied(&self) -> &Applied {
        &self.summary.applied
    }

    /// Adds what the next entry changed. After an error nothing of it may be written.
    pub(crate) fn add(&mut self, writes: &[Write], applied: Applied) -> io::Result<()> {
        for (id, record) in writes {
            let key = encode(id)?;
            if let Some(former) = self.checksum_at(&key)? {
                self.summary.records -= 1;
                self.summary.checksums = self.summary.checksums.wrapping_sub(former);
            }
            let mut checksum = None;
            match record {
                None => self.batch.remove(&*key),
                Some(record) => {
                    let value = seal(&key, record)?;
                    let sum = checksum_of(&value)?;
                    self.summary.records += 1;
                    self.summary.checksums = self.summary.checksums.wrapping_add(sum);
                    checksum = Some(sum);
                    self.batch.insert(&*key, value);
                }
            }
            self.pending.insert(key, checksum);
        }
        self.summary.applied = applied;
        Ok(())
    }

    /// The checksum of what stands under a key, the batch included.
    fn checksum_at(&self, key: &[u8]) -> io::Result<Option<u64>> {
        if let Some(pending) = self.pending.get(key) {
            return Ok(*pending);
        }
        let stored = self.store.db.get(key).map_err(sled_error)?;
        stored.map(|value| checksum_of(&value)).transpose()
    }

    /// Writes it all, with how far the log is applied.
    pub(crate) fn commit(mut self) -> io::Result<()> {
        self.batch.insert(APPLIED, seal(APPLIED, &self.summary)?);
        self.store.db.apply_batch(self.batch).map_err(sled_error)?;
        self.store.summary = self.summary;
        Ok(())
    }
}

/// Waits until a store of this process that was dropped has let go of `dir`: sled closes its file
/// in a thread of its own, some time after. Opened before, the store would be taken for damaged.
pub(crate) fn wait_until_free(dir: &Path) -> io::Result<()> {
    let file = match File::open(dir.join(SLED_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let deadline = sys::clock::monotonic() + FREE_PATIENCE;
    loop {
        match file.try_lock() {
            // Given back with the file, right away.
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if sys::clock::monotonic() < deadline => {
                std::thread::sleep(FREE_POLL);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn load(db: &sled::Db) -> io::Result<(Summary, Index)> {
    let mut index = Index::default();
    let mut summary = None;
    let mut found = Summary::default();
    for pair in db.iter() {
        let (key, value) = pair.map_err(sled_error)?;
        if key == APPLIED {
            summary = Some(unseal::<Summary>(&key, &value)?);
            continue;
        }
        let id = postcard::from_bytes::<RecordId>(&key).map_err(invalid)?;
        index.put(id, Some(unseal::<Record>(&key, &value)?));
        found.records += 1;
        found.checksums = found.checksums.wrapping_add(checksum_of(&value)?);
    }
    let Some(summary) = summary else {
        if found.records > 0 {
            return Err(doubt("records without a summary"));
        }
        let format_version = FORMAT_VERSION;
        return Ok((
            Summary {
                format_version,
                ..Summary::default()
            },
            index,
        ));
    };
    if summary.format_version != FORMAT_VERSION {
        return Err(doubt("another format version"));
    }
    if (summary.records, summary.checksums) != (found.records, found.checksums) {
        return Err(doubt("records do not add up to the summary"));
    }
    Ok((summary, index))
}

fn encode(id: &RecordId) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(id).map_err(invalid)
}

fn seal(key: &[u8], value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut sealed = postcard::to_extend(value, vec![0; 4]).map_err(invalid)?;
    let checksum = checksum(key, &sealed[4..]);
    sealed[..4].copy_from_slice(&checksum.to_be_bytes());
    Ok(sealed)
}

fn unseal<'a, T: Deserialize<'a>>(key: &[u8], sealed: &'a [u8]) -> io::Result<T> {
    let (stored, value) = sealed
        .split_first_chunk::<4>()
        .ok_or_else(|| doubt("a value without a checksum"))?;
    if checksum(key, value).to_be_bytes() != *stored {
        return Err(doubt("a checksum does not match"));
    }
    postcard::from_bytes(value).map_err(invalid)
}

fn checksum(key: &[u8], value: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(value);
    crc.finalize()
}

fn checksum_of(sealed: &[u8]) -> io::Result<u64> {
    let stored = sealed
        .first_chunk::<4>()
        .ok_or_else(|| doubt("a value without a checksum"))?;
    Ok(u64::from(u32::from_be_bytes(*stored)))
}

fn doubt(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn invalid(error: postcard::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn sled_error(error: sled::Error) -> io::Error {
    io::Error::from(error)
}
