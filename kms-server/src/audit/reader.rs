//! Reading a running node's log: its files, as far as they are durable, in pages.
//!
//! Raw bytes, not records: whoever verifies must see what is on the disk.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Audit;
use super::chain::Head;
use super::files::{self, ScanError};
use super::limits::READ_BYTES_MAX;

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFile {
    /// Its name within the log's directory.
    pub name: String,
    /// Bytes of it that are durable.
    pub bytes: u64,
}

impl Audit {
    /// Lists the files, oldest first.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn files(&self) -> Result<Vec<AuditFile>, ScanError> {
        let dir = Arc::clone(&self.dir);
        // Before the directory is read: a file that is begun meanwhile is seen next time.
        let (current, durable) = {
            let seen = self.seen();
            (seen.file_name.clone(), seen.durable_bytes)
        };
        let list = move || {
            let mut listed = list(&dir)?;
            listed.retain(|file| file.name <= current);
            if let Some(newest) = listed.last_mut().filter(|file| file.name == current) {
                newest.bytes = newest.bytes.min(durable);
            }
            Ok(listed)
        };
        off_runtime(&self.dir, list).await
    }

    /// Reads from a file of [`files`](Self::files): at most `bytes_max`, at most up to the byte
    /// that is durable. Empty at the end.
    ///
    /// # Errors
    /// When there is no such file, or it cannot be read.
    pub async fn read(
        &self,
        name: String,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Vec<u8>, ScanError> {
        let durable = {
            let seen = self.seen();
            (seen.file_name == name).then_some(seen.durable_bytes)
        };
        let end = durable.unwrap_or(u64::MAX);
        let left = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = bytes_max.min(READ_BYTES_MAX).min(left);
        let path = self.dir.join(&name);
        off_runtime(&self.dir, move || {
            let read = match files::first_sequence(Path::new(&name)) {
                Some(_) => read_at(&path, offset, wanted),
                None => Err(io::ErrorKind::NotFound.into()),
            };
            read.map_err(|source| ScanError::Read { path, source })
        })
        .await
    }

    /// Whether the log still holds this line, which was its newest checkpoint once.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub async fn holds(&self, line: Head) -> Result<bool, ScanError> {
        if self.seen().checkpoints.contains(&line) {
            return Ok(true);
        }
        let dir = Arc::clone(&self.dir);
        off_runtime(&self.dir, move || files::hold(&dir, &line)).await
    }
}

/// Lists the files of a log's directory with their sizes, oldest first.
///
/// # Errors
/// When it cannot be read.
pub fn list(dir: &Path) -> Result<Vec<AuditFile>, ScanError> {
    let paths = files::list(dir)?;
    let file = |path: &PathBuf| {
        let metadata = std::fs::metadata(path).map_err(|source| ScanError::Read {
            path: path.clone(),
            source,
        })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(AuditFile {
            name: name.into_owned(),
            bytes: metadata.len(),
        })
    };
    paths.iter().map(file).collect()
}

async fn off_runtime<T: Send + 'static>(
    dir: &Path,
    work: impl FnOnce() -> Result<T, ScanError> + Send + 'static,
) -> Result<T, ScanError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| {
        Err(ScanError::Read {
            path: dir.to_owned(),
            source: io::Error::other("a task of this node ended early; see its log"),
        })
    })
}

fn read_at(path: &Path, offset: u64, wanted: usize) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut bytes = vec![0; wanted];
    let mut filled = 0;
    while filled < wanted {
        match file.read_at(&mut bytes[filled..], offset + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}
