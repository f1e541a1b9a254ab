//! The mark that an archive is being written: it stands while its gateway runs and is removed by a
//! clean stop. Found at the start, it says that flows may be missing of which no entry tells.

use std::fs;
use std::io;
use std::path::Path;

/// Since when an archive runs whose stop was not clean, in milliseconds since 1970-01-01 UTC;
/// `None` after a clean stop, and for a new archive.
pub(super) fn since(dir: &Path) -> io::Result<Option<u64>> {
    match fs::read_to_string(dir.join(RUNNING)) {
        // What cannot be read as a time is a mark all the same.
        Ok(text) => Ok(Some(text.trim().parse().unwrap_or(0))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Sets the mark, durably. One that is left of an unclean stop stays until its gap is durable.
pub(super) fn set(dir: &Path, now_ms: u64) -> io::Result<()> {
    if since(dir)?.is_some() {
        return Ok(());
    }
    sys::file::write_atomic(&dir.join(RUNNING), format!("{now_ms}\n").as_bytes(), 0o600)
}

/// Removes the mark, after everything is written.
pub(super) fn clear(dir: &Path) -> io::Result<()> {
    fs::remove_file(dir.join(RUNNING))?;
    sys::file::sync_dir(dir)
}

const RUNNING: &str = "running";
