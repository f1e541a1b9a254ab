//! The log's files: their names and order, and what a start and a reader find in them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::chain::{self, ChainProblem, Digest, Head};
use super::limits::LINE_BYTES_MAX;
use super::line::{CHECKPOINT, Links};

/// Why a file cannot be gone on with.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The directory or a file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line that does not follow from the one before it.
    #[error("{path} line {line}: {problem}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// Counts from 1.
        line: u64,
        /// What is wrong.
        problem: ChainProblem,
    },
}

/// One file whose chain holds.
pub(super) struct Scanned {
    /// Its last line.
    pub(super) head: Head,
    /// Its last checkpoint.
    pub(super) checkpoint: Option<Head>,
    /// Bytes up to and with the last newline.
    pub(super) whole_bytes: u64,
    /// Bytes behind it: a write that a crash cut short, never answered.
    pub(super) torn_bytes: u64,
}

/// Follows the chain of one file, whose first line is believed.
pub(super) fn scan(path: &Path) -> Result<Scanned, ScanError> {
    let mut lines = Lines::open(path)?;
    let mut found = Scanned {
        head: Head::EMPTY,
        checkpoint: None,
        whole_bytes: 0,
        torn_bytes: 0,
    };
    for number in 1.. {
        let Some(line) = lines.next()? else {
            found.torn_bytes = lines.rest;
            return Ok(found);
        };
        let broken = |problem| ScanError::Broken {
            path: path.to_owned(),
            line: number,
            problem,
        };
        let links = match chain::links(line) {
            Ok(links) => links,
            // What a power cut left of blocks that were not written yet; no line has such bytes.
            Err(problem) if line.contains(&0) => {
                found.torn_bytes = line.len() as u64 + 1;
                return match lines.torn_to_the_end()? {
                    Some(bytes) => {
                        found.torn_bytes += bytes;
                        Ok(found)
                    }
                    None => Err(broken(problem)),
                };
            }
            Err(problem) => return Err(broken(problem)),
        };
        if number > 1 {
            chain::follows(&links, &found.head).map_err(broken)?;
        }
        found.head = Head {
            sequence: links.seq,
            hash: Digest::of(line),
        };
        found.whole_bytes += line.len() as u64 + 1;
        if links.kind == CHECKPOINT {
            found.checkpoint = Some(found.head);
        }
    }
    unreachable!("a file ends before line numbers do")
}

/// Where a file that does not hold ends, so that numbering can go on behind it: the highest
/// sequence that can be read or that its name claims, and the digest of its last line.
pub(super) fn last_readable(path: &Path) -> Result<Head, ScanError> {
    let mut reader = BufReader::new(File::open(path).map_err(|e| read_error(path, e))?);
    let mut head = Head {
        sequence: first_sequence(path).unwrap_or(0),
        hash: Digest::ZERO,
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = reader.by_ref().take(LINE_BYTES_MAX as u64);
        let read = bounded.read_until(b'\n', &mut line);
        if read.map_err(|e| read_error(path, e))? == 0 {
            return Ok(head);
        }
        line.pop_if(|last| *last == b'\n');
        head.hash = Digest::of(&line);
        if let Ok(links) = serde_json::from_slice::<Links>(&line) {
            head.sequence = head.sequence.max(links.seq);
        }
    }
}

/// Whether the files hold a line of this number and digest.
pub(super) fn hold(dir: &Path, wanted: &Head) -> Result<bool, ScanError> {
    let files = list(dir)?;
    let begins_before = |path: &&PathBuf| first_sequence(path) <= Some(wanted.sequence);
    let Some(path) = files.iter().rfind(begins_before) else {
        return Ok(false);
    };
    let mut lines = Lines::open(path)?;
    while let Some(line) = lines.next()? {
        match chain::links(line) {
            Ok(links) if links.seq == wanted.sequence => {
                return Ok(Digest::of(line) == wanted.hash);
            }
            Ok(_) | Err(_) => {}
        }
    }
    Ok(false)
}

/// Takes a file without any record out of the log, and keeps it beside: a crash may have come
/// before its first line, or a disk may have lost what was there.
pub(super) fn set_aside(path: &Path) -> io::Result<()> {
    if std::fs::metadata(path)?.len() == 0 {
        return std::fs::remove_file(path);
    }
    for number in 1.. {
        let aside = path.with_extension(format!("jsonl.torn-{number}"));
        if !aside.try_exists()? {
            tracing::warn!(?aside, "an audit file without any record was set aside");
            return std::fs::rename(path, aside);
        }
    }
    unreachable!("a directory holds fewer files than there are numbers")
}

/// All files of `dir`, oldest first.
pub(super) fn list(dir: &Path) -> Result<Vec<PathBuf>, ScanError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| read_error(dir, e))? {
        let path = entry.map_err(|e| read_error(dir, e))?.path();
        if first_sequence(&path).is_some() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The name of the file whose first line has this sequence.
pub(super) fn file_name(first_sequence: u64) -> String {
    format!("audit-{first_sequence:016x}.jsonl")
}

/// The sequence that a file's name claims for its first line; none for other files.
pub(super) fn first_sequence(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let digits = name.strip_prefix("audit-")?.strip_suffix(".jsonl")?;
    let sequence = u64::from_str_radix(digits, 16).ok()?;
    // One name a number, so that a name from outside leads to no other file.
    (file_name(sequence) == name).then_some(sequence)
}

/// Whole lines of a file, without their newlines.
struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    line: Vec<u8>,
    /// Bytes behind the last whole line, once there is no more.
    rest: u64,
}

impl<'a> Lines<'a> {
    fn open(path: &'a Path) -> Result<Self, ScanError> {
        let file = File::open(path).map_err(|error| read_error(path, error))?;
        Ok(Self {
            path,
            reader: BufReader::new(file),
            line: Vec::new(),
            rest: 0,
        })
    }

    /// The next line; one that is too long is answered cut, and so is no record.
    fn next(&mut self) -> Result<Option<&[u8]>, ScanError> {
        self.line.clear();
        let mut bounded = self.reader.by_ref().take(LINE_BYTES_MAX as u64);
        let read = bounded.read_until(b'\n', &mut self.line);
        let read = read.map_err(|error| read_error(self.path, error))?;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if read < LINE_BYTES_MAX {
            self.rest = read as u64;
            return Ok(None);
        }
        Ok(Some(&self.line))
    }

    /// How many bytes are left, if none of them are a record. Where records follow, the zeros
    /// before them are no end that was never written: records that were answered may be gone.
    fn torn_to_the_end(&mut self) -> Result<Option<u64>, ScanError> {
        let mut bytes = 0;
        while let Some(line) = self.next()? {
            if chain::links(line).is_ok() {
                return Ok(None);
            }
            bytes += line.len() as u64 + 1;
        }
        Ok(Some(bytes + self.rest))
    }
}

fn read_error(path: &Path, source: io::Error) -> ScanError {
    ScanError::Read {
        path: path.to_owned(),
        source,
    }
}
