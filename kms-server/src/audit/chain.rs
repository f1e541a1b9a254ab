//! The chain over all lines of all files, and its verification.
//! The log extends it; `verify` is what an auditor's command calls on a directory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::limits::LINE_BYTES_MAX;
use super::line::Links;

/// A SHA-256 in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest([u8; 32]);

impl Digest {
    /// What stands before the first line.
    pub const ZERO: Self = Self([0; 32]);

    /// Digests a line without its newline.
    pub(super) fn of(line: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, line);
        Self(digest.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// The bytes, for checkpoints and anchors.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Lower-case hex, as lines carry it.
    #[must_use]
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

/// The newest durable line. Two heads with the same sequence and hash mean the same whole log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number; the first line of a node has 1, 0 means none.
    pub sequence: u64,
    /// Its digest.
    pub hash: Digest,
}

impl Head {
    /// The head of an empty log.
    pub const EMPTY: Self = Self {
        sequence: 0,
        hash: Digest::ZERO,
    };
}

/// What a whole, unbroken log amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The newest line.
    pub head: Head,
    /// How many files were read.
    pub files: usize,
    /// Bytes after the last whole line: a write that a crash cut short, never answered.
    pub torn_bytes: u64,
}

/// Where a log does not hold.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
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
        problem: Problem,
    },
}

/// What can be wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It follows a torn line, which is the mark of a crash: nothing is written after one.
    #[error("follows a line that was cut short")]
    AfterTorn,
    /// Neither is it a record nor does it end in time.
    #[error("is no audit record")]
    Unreadable,
    /// Lines are missing, or doubled.
    #[error("has sequence {found}, {expected} was expected")]
    Sequence {
        /// What would follow.
        expected: u64,
        /// What stands there.
        found: u64,
    },
    /// A former line was changed.
    #[error("does not continue the line before it")]
    Chain,
}

/// Checks the chain of every file in `dir`, from the first line to the last.
///
/// # Errors
/// The first place where the log does not hold.
pub fn verify(dir: &Path) -> Result<Verified, VerifyError> {
    let mut verified = Verified {
        head: Head::EMPTY,
        files: 0,
        torn_bytes: 0,
    };
    for path in files(dir)? {
        if verified.torn_bytes > 0 {
            return Err(VerifyError::Broken {
                path,
                line: 1,
                problem: Problem::AfterTorn,
            });
        }
        let file = verify_file(&path, Some(verified.head))?;
        verified.head = file.head;
        verified.torn_bytes = file.torn_bytes;
        verified.files += 1;
    }
    Ok(verified)
}

/// One file that holds.
pub(super) struct VerifiedFile {
    pub(super) head: Head,
    /// Bytes up to and with the last newline.
    pub(super) whole_bytes: u64,
    pub(super) torn_bytes: u64,
}

/// Checks one file, which must continue `from`; `None` believes its first line.
pub(super) fn verify_file(path: &Path, from: Option<Head>) -> Result<VerifiedFile, VerifyError> {
    let read_error = |source| VerifyError::Read {
        path: path.to_owned(),
        source,
    };
    let mut reader = BufReader::new(File::open(path).map_err(read_error)?);
    let mut head = from;
    let mut whole_bytes = 0;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let mut bounded = reader.by_ref().take(LINE_BYTES_MAX as u64);
        let read = bounded.read_until(b'\n', &mut line).map_err(read_error)?;
        let broken = |problem| VerifyError::Broken {
            path: path.to_owned(),
            line: number,
            problem,
        };
        if line.last() != Some(&b'\n') {
            if read == LINE_BYTES_MAX {
                return Err(broken(Problem::Unreadable));
            }
            let head = head.unwrap_or(Head::EMPTY);
            return Ok(VerifiedFile {
                head,
                whole_bytes,
                torn_bytes: read as u64,
            });
        }
        line.pop();
        head = Some(follow(&line, head).map_err(broken)?);
        whole_bytes += read as u64;
    }
    unreachable!("a file ends before line numbers do")
}

/// Where a file that does not hold ends, so that numbering can go on behind it: the highest
/// sequence that can be read or that its name claims, and the digest of its last line.
pub(super) fn last_readable(path: &Path) -> Result<Head, VerifyError> {
    let read_error = |source| VerifyError::Read {
        path: path.to_owned(),
        source,
    };
    let mut reader = BufReader::new(File::open(path).map_err(read_error)?);
    let mut head = Head {
        sequence: first_sequence(path).unwrap_or(0),
        hash: Digest::ZERO,
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = reader.by_ref().take(LINE_BYTES_MAX as u64);
        if bounded.read_until(b'\n', &mut line).map_err(read_error)? == 0 {
            return Ok(head);
        }
        line.pop_if(|last| *last == b'\n');
        head.hash = Digest::of(&line);
        if let Ok(links) = serde_json::from_slice::<Links>(&line) {
            head.sequence = head.sequence.max(links.seq);
        }
    }
}

/// All files of `dir`, oldest first.
pub(super) fn files(dir: &Path) -> Result<Vec<PathBuf>, VerifyError> {
    let read_error = |source| VerifyError::Read {
        path: dir.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(read_error)? {
        let path = entry.map_err(read_error)?.path();
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

fn first_sequence(path: &Path) -> Option<u64> {
    let name = path
        .file_name()?
        .to_str()?
        .strip_prefix("audit-")?
        .strip_suffix(".jsonl")?;
    (name.len() == 16).then(|| u64::from_str_radix(name, 16).ok())?
}

/// Checks that `line` follows `head`, and makes it the new one.
fn follow(line: &[u8], head: Option<Head>) -> Result<Head, Problem> {
    let links: Links = serde_json::from_slice(line).map_err(|_| Problem::Unreadable)?;
    if let Some(head) = head {
        if links.seq != head.sequence + 1 {
            let (expected, found) = (head.sequence + 1, links.seq);
            return Err(Problem::Sequence { expected, found });
        }
        if links.prev != head.hash.to_hex() {
            return Err(Problem::Chain);
        }
    }
    Ok(Head {
        sequence: links.seq,
        hash: Digest::of(line),
    })
}
