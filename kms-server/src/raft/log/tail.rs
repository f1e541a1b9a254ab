//! Finds out whether opening the log dropped something from its ends.
//!
//! After an unclean stop the newest file ends in zeros that were only reserved: dropping those is
//! nothing. Dropping anything else is an event: a write that was never acknowledged, or damage.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// How the newest files looked before the engine opened them.
pub(super) struct Tail {
    newest: Vec<(PathBuf, u64)>,
}

impl Tail {
    /// Looks at the newest file of each queue in `dir`: entries as they were appended, and those
    /// that compaction wrote again. The engine cuts both.
    pub(super) fn before_open(dir: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            files.push(entry?.path());
        }
        let mut newest = Vec::new();
        for queue in ["raftlog", "rewrite"] {
            let of_queue = files
                .iter()
                .filter(|f| f.extension().is_some_and(|e| e == queue));
            // Names are fixed-width numbers.
            if let Some(path) = of_queue.max() {
                newest.push((path.clone(), end_of_data(&File::open(path)?)?));
            }
        }
        Ok(Self { newest })
    }

    /// Whether there is anything to lose.
    pub(super) fn holds_data(&self) -> bool {
        self.newest.iter().any(|(_, end)| *end > 0)
    }

    /// Whether a file has lost more than zeros since.
    pub(super) fn was_dropped(&self) -> bool {
        // A file that is gone held nothing that counted; it was compacted before.
        let shorter = |path: &Path, end| std::fs::metadata(path).is_ok_and(|now| now.len() < end);
        self.newest.iter().any(|(path, end)| shorter(path, *end))
    }
}

/// The offset after the last byte that is not zero.
fn end_of_data(file: &File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = vec![0; BLOCK_BYTES];
    while end > 0 {
        let start = end.saturating_sub(BLOCK_BYTES as u64);
        let length = usize::try_from(end - start).map_err(io::Error::other)?;
        file.read_exact_at(&mut block[..length], start)?;
        if let Some(last) = block[..length].iter().rposition(|byte| *byte != 0) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

const BLOCK_BYTES: usize = 64 * 1024;
