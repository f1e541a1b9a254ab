//! One tree of the store: the bytes of its records and of its summary.
//!
//! Under each record's id: CRC-32 of id and record, then the record, or that it was removed. Under
//! [`SUMMARY`]: where the generation began, how far the log is applied, the number of records and
//! the sum of their checksums, written in the same batch as the records of the entries up to there.

use std::collections::HashMap;
use std::io;

use openraft::alias::LogIdOf;
use serde::{Deserialize, Serialize};

use super::sled_error;
use crate::command::Write;
use crate::raft::TypeConfig;
use crate::state::{Applied, FORMAT_VERSION, Record, RecordId};

/// Not the beginning of any record id: those begin with the number of their variant.
const SUMMARY: &[u8] = &[0xff];

/// What stands under [`SUMMARY`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Summary {
    format_version: u32,
    /// The last entry before the generation.
    pub(super) began: Option<LogIdOf<TypeConfig>>,
    pub(super) applied: Applied,
    records: u64,
    checksums: u64,
}

impl Summary {
    pub(super) fn beginning(applied: Applied) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            began: applied.log_id,
            applied,
            records: 0,
            checksums: 0,
        }
    }

    /// Whether any entry was applied in it.
    pub(super) fn is_written(&self) -> bool {
        self.applied.log_id != self.began
    }
}

/// What some entries changed, on its way into a generation: all of it or nothing.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) summary: Summary,
    batch: sled::Batch,
    /// The checksum of each record in the batch.
    drafted: HashMap<Vec<u8>, u64>,
}

impl Draft {
    pub(super) fn new(summary: Summary) -> Self {
        Self {
            summary,
            batch: sled::Batch::default(),
            drafted: HashMap::new(),
        }
    }

    pub(super) fn add(&mut self, tree: &sled::Tree, (id, record): &Write) -> io::Result<()> {
        let key = postcard::to_stdvec(id).map_err(invalid)?;
        let value = seal(&key, record)?;
        let checksum = checksum_of(&value)?;
        let former = match self.drafted.get(&key) {
            Some(former) => Some(*former),
            None => stored_checksum(tree, &key)?,
        };
        match former {
            Some(former) => {
                self.summary.checksums = self.summary.checksums.wrapping_sub(former);
            }
            None => self.summary.records += 1,
        }
        self.summary.checksums = self.summary.checksums.wrapping_add(checksum);
        self.batch.insert(&*key, value);
        self.drafted.insert(key, checksum);
        Ok(())
    }

    pub(super) fn commit(mut self, tree: &sled::Tree) -> io::Result<Summary> {
        self.batch.insert(SUMMARY, seal(SUMMARY, &self.summary)?);
        tree.apply_batch(self.batch).map_err(sled_error)?;
        Ok(self.summary)
    }
}

/// Reads a generation and checks it whole. `None` when nothing was written in it.
///
/// # Errors
/// `InvalidData` on any doubt.
pub(super) fn load(tree: &sled::Tree) -> io::Result<Option<(Summary, Vec<Write>)>> {
    let mut summary = None;
    let (mut writes, mut checksums) = (Vec::new(), 0_u64);
    for pair in tree.iter() {
        let (key, value) = pair.map_err(sled_error)?;
        if key == SUMMARY {
            summary = Some(unseal::<Summary>(&key, &value)?);
            continue;
        }
        let id = postcard::from_bytes::<RecordId>(&key).map_err(invalid)?;
        writes.push((id, unseal::<Option<Record>>(&key, &value)?));
        checksums = checksums.wrapping_add(checksum_of(&value)?);
    }
    let Some(summary) = summary else {
        return match writes.is_empty() {
            true => Ok(None),
            false => Err(doubt("records without a summary")),
        };
    };
    if summary.format_version != FORMAT_VERSION {
        return Err(doubt("another format version"));
    }
    if (summary.records, summary.checksums) != (writes.len() as u64, checksums) {
        return Err(doubt("records do not add up to the summary"));
    }
    Ok(Some((summary, writes)))
}

fn stored_checksum(tree: &sled::Tree, key: &[u8]) -> io::Result<Option<u64>> {
    let stored = tree.get(key).map_err(sled_error)?;
    stored.map(|value| checksum_of(&value)).transpose()
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

pub(super) fn doubt(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn invalid(error: postcard::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
