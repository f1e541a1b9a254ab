//! The few file operations the log needs, behind a trait so that tests can make them fail.
//! `OsDisk` is the only one in use.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Opens audit files.
pub(super) trait Disk: Send {
    /// Opens `path` for writing, with mode 0600, making it durable as a name.
    /// With `truncate` it is emptied, else it is kept and must exist.
    fn open(&mut self, path: &Path, truncate: bool) -> io::Result<Box<dyn DiskFile>>;
}

/// An open audit file.
pub(super) trait DiskFile: Send {
    /// Writes all of `bytes` at `offset`.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file and makes that durable.
    fn truncate(&mut self, bytes: u64) -> io::Result<()>;
    /// Whether the path still names this file.
    fn is_in_place(&self) -> io::Result<bool>;
}

/// The operating system's.
pub(super) struct OsDisk;

impl Disk for OsDisk {
    fn open(&mut self, path: &Path, truncate: bool) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new()
            .write(true)
            .create(truncate)
            .truncate(truncate)
            .mode(0o600)
            .open(path)?;
        if truncate {
            file.sync_all()?;
            let dir = path
                .parent()
                .expect("audit files are opened inside a directory");
            sys::file::sync_dir(dir)?;
        }
        Ok(Box::new(OsFile {
            file,
            path: path.to_owned(),
        }))
    }
}

struct OsFile {
    file: File,
    path: PathBuf,
}

impl DiskFile for OsFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)?;
        self.file.sync_all()
    }

    fn is_in_place(&self) -> io::Result<bool> {
        let open = self.file.metadata()?;
        if open.nlink() == 0 {
            return Ok(false);
        }
        match std::fs::metadata(&self.path) {
            Ok(named) => Ok(named.dev() == open.dev() && named.ino() == open.ino()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}
