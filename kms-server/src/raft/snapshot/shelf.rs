//! The directory of snapshots: holds the newest one, and files that are being written.
//!
//! A file is written under a temporary name, fsynced, renamed, and the directory fsynced; only
//! then is it the newest. Leftovers of a crash are removed when the shelf is opened.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openraft::alias::{SnapshotMetaOf, SnapshotOf};
use sys::crash::{self, Point};

use super::{SnapshotNewer, read_snapshot};
use crate::raft::TypeConfig;
use crate::state::{Applied, Index};

const SUFFIX: &str = "wsnp";
const TEMPORARY: &str = "tmp";

/// A snapshot's file. It stays readable after a newer one has replaced it; one that was never
/// kept is removed with its last handle.
#[derive(Clone, Debug)]
pub(crate) struct SnapshotFile {
    path: PathBuf,
    file: Arc<File>,
    temporary: Option<Arc<Temporary>>,
}

/// The name of a finished file until it is kept: a snapshot that Raft did not want leaves nothing.
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    stands: AtomicBool,
}

impl Temporary {
    /// The name is another's business from now on.
    fn release(&self) {
        self.stands.store(false, Ordering::Release);
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.stands.load(Ordering::Acquire) {
            // When it cannot be removed now, the next start does it.
            drop(fs::remove_file(&self.path));
        }
    }
}

impl SnapshotFile {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = Arc::new(File::open(&path)?);
        Ok(Self {
            path,
            file,
            temporary: None,
        })
    }

    /// Reads and checks it whole.
    pub(crate) fn load(&self) -> io::Result<(SnapshotMetaOf<TypeConfig>, Index)> {
        read_snapshot(BufReader::with_capacity(1 << 20, self.reader()))
    }

    /// At most `max` bytes from `offset`; none at the end.
    pub(crate) fn read_at(&self, offset: u64, max: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; max];
        let count = self.file.read_at(&mut bytes, offset)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    fn reader(&self) -> impl io::Read + '_ {
        ReaderAt {
            file: &self.file,
            offset: 0,
        }
    }
}

/// Reads from the start whatever the shared file's own position is.
struct ReaderAt<'a> {
    file: &'a File,
    offset: u64,
}

impl io::Read for ReaderAt<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// A snapshot being written; removed when dropped before it is kept.
#[derive(Debug)]
pub(crate) struct Incoming {
    path: PathBuf,
    out: Option<BufWriter<File>>,
    kept: bool,
}

impl Incoming {
    /// Makes what was written durable under its temporary name, and readable.
    pub(crate) fn finish(mut self) -> io::Result<SnapshotFile> {
        if let Some(mut out) = self.out.take() {
            out.flush()?;
            crash::at(Point::SnapshotWritten);
            out.get_ref().sync_all()?;
            crash::at(Point::SnapshotSynced);
        }
        let mut file = SnapshotFile::open(self.path.clone())?;
        file.temporary = Some(Arc::new(Temporary {
            path: self.path.clone(),
            stands: AtomicBool::new(true),
        }));
        self.kept = true;
        Ok(file)
    }
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.out {
            Some(out) => out.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.kept {
            // Unfinished; when it cannot be removed now, the next start does it.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// The directory and the newest snapshot in it.
#[derive(Debug)]
pub(crate) struct Shelf {
    dir: PathBuf,
    next_temporary: AtomicU64,
    newest: Mutex<Option<Newest>>,
}

#[derive(Clone, Debug)]
struct Newest {
    meta: SnapshotMetaOf<TypeConfig>,
    file: SnapshotFile,
}

impl Newest {
    fn read(path: PathBuf) -> io::Result<(Self, Index)> {
        let file = SnapshotFile::open(path.clone())?;
        let (meta, index) = file
            .load()
            .map_err(|error| match SnapshotNewer::of(&error) {
                // Kept whole: it is told apart from damage.
                Some(_) => error,
                None => io::Error::new(error.kind(), format!("{}: {error}", path.display())),
            })?;
        Ok((Self { meta, file }, index))
    }
}

impl Shelf {
    /// Opens the directory, removes leftovers, and reads the newest snapshot.
    ///
    /// # Errors
    ///
    /// `InvalidData`, with the path, when the newest snapshot is damaged.
    pub(crate) fn open(dir: &Path) -> io::Result<(Self, Option<(Applied, Index)>)> {
        sys::file::create_dirs(dir, 0o700)?;
        let mut snapshots = Vec::new();
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            match path.extension().and_then(|e| e.to_str()) {
                Some(TEMPORARY) => fs::remove_file(&path)?,
                Some(SUFFIX) => snapshots.push(path),
                Some(_) | None => {}
            }
        }
        // Names are fixed-width hexadecimal: the last in order is the newest.
        snapshots.sort();
        let (newest, state) = match snapshots.pop().map(Newest::read).transpose()? {
            None => (None, None),
            Some((newest, index)) => {
                let applied = Applied::from(&newest.meta);
                (Some(newest), Some((applied, index)))
            }
        };
        for older in snapshots {
            fs::remove_file(older)?;
        }
        let shelf = Self {
            dir: dir.to_owned(),
            next_temporary: AtomicU64::new(0),
            newest: Mutex::new(newest),
        };
        Ok((shelf, state))
    }

    /// A file to write a snapshot into.
    pub(crate) fn begin(&self) -> io::Result<Incoming> {
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        let path = self.dir.join(format!("{number}.{TEMPORARY}"));
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        Ok(Incoming {
            path,
            out: Some(BufWriter::with_capacity(1 << 20, file)),
            kept: false,
        })
    }

    /// Makes a finished file the newest snapshot, durably, and removes the former one. When a
    /// newer one was kept meanwhile, that one stays.
    pub(crate) fn keep(
        &self,
        meta: &SnapshotMetaOf<TypeConfig>,
        file: &SnapshotFile,
    ) -> io::Result<SnapshotFile> {
        let mut newest = self.newest();
        if let Some(newest) = &*newest
            && newest.meta.last_log_id > meta.last_log_id
        {
            self.discard(file);
            return Ok(file.clone());
        }
        let (term, index) = meta
            .last_log_id
            .map_or((0, 0), |log_id| (log_id.leader_id.term, log_id.index));
        let path = self.dir.join(format!("{index:016x}-{term:016x}.{SUFFIX}"));
        if file.path != path {
            let ours = self.own(file)?;
            fs::rename(&ours.path, &path)?;
            crash::at(Point::SnapshotRenamed);
            if let Some(temporary) = &ours.temporary {
                temporary.release();
            }
            sys::file::sync_dir(&self.dir)?;
            crash::at(Point::SnapshotKept);
        }
        let kept = SnapshotFile::open(path)?;
        let former = newest.replace(Newest {
            meta: meta.clone(),
            file: kept.clone(),
        });
        if let Some(former) = former
            && former.file.path != kept.path
        {
            self.discard(&former.file);
        }
        Ok(kept)
    }

    /// The newest snapshot.
    pub(crate) fn current(&self) -> Option<SnapshotOf<TypeConfig, SnapshotFile>> {
        let newest = self.newest().clone()?;
        Some(SnapshotOf::<TypeConfig, SnapshotFile> {
            meta: newest.meta,
            snapshot: newest.file,
        })
    }

    /// Removes a file's name. Who reads it keeps it open; a leftover is removed at the next start.
    fn discard(&self, file: &SnapshotFile) {
        if file.path.parent() == Some(&self.dir) {
            drop(fs::remove_file(&file.path));
        }
    }

    /// The file itself when it lies here under a temporary name, else a durable copy.
    fn own(&self, file: &SnapshotFile) -> io::Result<SnapshotFile> {
        let temporary = file.path.extension().is_some_and(|e| e == TEMPORARY);
        if temporary && file.path.parent() == Some(&self.dir) {
            return Ok(file.clone());
        }
        let mut copy = self.begin()?;
        io::copy(&mut file.reader(), &mut copy)?;
        copy.finish()
    }

    fn newest(&self) -> MutexGuard<'_, Option<Newest>> {
        // Replaced in one step.
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
