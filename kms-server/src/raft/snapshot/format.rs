//! The bytes of a snapshot.
//!
//! ```text
//! "WSNP" ‖ format version u32 ‖ length u32 ‖ postcard(snapshot meta)
//! ‖ (length u32 ‖ postcard(record id, record))…  in the order of the ids
//! ‖ 0 u32 ‖ number of records u64 ‖ SHA-256 of everything before
//! ```
//!
//! The same state at the same point gives the same bytes on every replica. A plain digest and not
//! a keyed one: a sealed node must be able to make and check it. Integers are big-endian.

use std::io::{self, Read, Write};

use openraft::alias::SnapshotMetaOf;
use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN};

use crate::raft::TypeConfig;
use crate::replica::limits::{SNAPSHOT_META_BYTES_MAX, SNAPSHOT_RECORD_BYTES_MAX};
use crate::state::{FORMAT_VERSION, Index, Record, RecordId};

const MAGIC: &[u8; 4] = b"WSNP";

/// Writes a snapshot, record by record.
pub(crate) struct SnapshotWriter<W> {
    out: W,
    digest: Context,
    records: u64,
}

impl<W: Write> SnapshotWriter<W> {
    /// Begins a snapshot of a state of this format, so that every member that knows the state can
    /// read it: a newer program among them does not write what they would refuse.
    pub(crate) fn begin(
        out: W,
        meta: &SnapshotMetaOf<TypeConfig>,
        format_version: u32,
    ) -> io::Result<Self> {
        let mut writer = Self {
            out,
            digest: Context::new(&SHA256),
            records: 0,
        };
        writer.put(MAGIC)?;
        writer.put(&format_version.to_be_bytes())?;
        let meta = postcard::to_stdvec(meta).map_err(invalid)?;
        writer.put_sized(&meta, SNAPSHOT_META_BYTES_MAX)?;
        Ok(writer)
    }

    /// Adds a record; they come in the order of their ids.
    pub(crate) fn record(&mut self, id: &RecordId, record: &Record) -> io::Result<()> {
        self.records += 1;
        let record = postcard::to_stdvec(&(id, record)).map_err(invalid)?;
        self.put_sized(&record, SNAPSHOT_RECORD_BYTES_MAX)
    }

    /// Ends the snapshot; the bytes are with `out`, not necessarily on disk.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.put(&0_u32.to_be_bytes())?;
        let records = self.records;
        self.put(&records.to_be_bytes())?;
        let digest = self.digest.clone().finish();
        self.out.write_all(digest.as_ref())?;
        Ok(self.out)
    }

    /// Nothing that a reader would refuse: better no snapshot than one that cannot be read.
    fn put_sized(&mut self, bytes: &[u8], max: u32) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if length > max {
            return Err(damaged("a length beyond its limit"));
        }
        self.put(&length.to_be_bytes())?;
        self.put(bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.out.write_all(bytes)
    }
}

/// Reads a whole snapshot and checks it to the last byte.
///
/// # Errors
///
/// `InvalidData` when anything is not as it was written, [`SnapshotNewer`] when a newer version
/// wrote it.
pub(crate) fn read_snapshot(input: impl Read) -> io::Result<(SnapshotMetaOf<TypeConfig>, Index)> {
    let mut reader = DigestReader {
        input,
        digest: Context::new(&SHA256),
        last: Vec::new(),
    };
    if reader.array::<4>()? != *MAGIC {
        return Err(damaged("not a snapshot"));
    }
    let version = u32::from_be_bytes(reader.array()?);
    if version > FORMAT_VERSION {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            SnapshotNewer(version),
        ));
    }
    let meta = reader.sized(SNAPSHOT_META_BYTES_MAX)?;
    let meta = meta.ok_or_else(|| damaged("no description"))?;
    let meta = postcard::from_bytes(meta).map_err(invalid)?;
    let mut records: Vec<(RecordId, Record)> = Vec::new();
    while let Some(bytes) = reader.sized(SNAPSHOT_RECORD_BYTES_MAX)? {
        let (id, record) = postcard::from_bytes(bytes).map_err(invalid)?;
        if records.last().is_some_and(|(last, _)| *last >= id) {
            return Err(damaged("a record is out of order"));
        }
        records.push((id, record));
    }
    let count = u64::from_be_bytes(reader.array()?);
    let expected = reader.digest.clone().finish();
    let mut found = [0; SHA256_OUTPUT_LEN];
    reader.input.read_exact(&mut found)?;
    let complete = count == records.len() as u64 && reader.input.read(&mut [0])? == 0;
    if expected.as_ref() != found || !complete {
        return Err(damaged("the digest does not match"));
    }
    Ok((meta, Index::of_ordered(records)))
}

/// The format version of a snapshot that a newer program wrote.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the snapshot has format version {0}, written by a newer program")]
pub(crate) struct SnapshotNewer(pub(crate) u32);

impl SnapshotNewer {
    /// Whether `error` says so.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

struct DigestReader<R> {
    input: R,
    digest: Context,
    /// What `sized` read last.
    last: Vec<u8>,
}

impl<R: Read> DigestReader<R> {
    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        self.digest.update(&bytes);
        Ok(bytes)
    }

    /// A length and as many bytes; `None` for length 0.
    fn sized(&mut self, max: u32) -> io::Result<Option<&[u8]>> {
        let length = u32::from_be_bytes(self.array()?);
        if length > max {
            return Err(damaged("a length beyond its limit"));
        }
        if length == 0 {
            return Ok(None);
        }
        self.last.resize(length as usize, 0);
        self.input.read_exact(&mut self.last)?;
        self.digest.update(&self.last);
        Ok(Some(&self.last))
    }
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn invalid(error: postcard::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
