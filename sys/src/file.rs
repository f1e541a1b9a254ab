//! Files that survive a power cut, and the lock of a data directory.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::crash::{self, Point};

/// Puts `bytes` at `path` so that, whenever the power goes, the file is the old one or the new
/// one, whole; when this returns, it is the new one. `mode` is set exactly, whatever the umask.
///
/// # Errors
///
/// Whatever the file system answers, with the path; the old file then still stands.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let (temporary, file) = create_beside(path, mode)?;
    let written = write_and_rename(file, &temporary, path, bytes, mode);
    if written.is_err() {
        // The error that is answered says what went wrong; a leftover temporary file is harmless.
        drop(std::fs::remove_file(&temporary));
    }
    written.map_err(|error| with_path("cannot write", path, &error))?;
    sync_dir(directory_of(path))
}

/// Makes directory `path` and those above it that are missing, each with `mode` less the umask,
/// and makes their names durable. One that is there already is left as it is.
///
/// # Errors
///
/// Whatever the file system answers, with the path.
pub fn create_dirs(path: &Path, mode: u32) -> io::Result<()> {
    let missing: Vec<&Path> = path
        .ancestors()
        .take_while(|above| *above != Path::new("") && !above.exists())
        .collect();
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|error| with_path("cannot make", path, &error))?;
    for made in missing.iter().rev() {
        sync_dir(directory_of(made))?;
    }
    Ok(())
}

/// Whether this says that there is no room left: the disk is full, or a quota is.
#[must_use]
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Makes the names in directory `path` durable: files created, renamed or removed in it.
///
/// # Errors
///
/// Whatever the file system answers, with the path.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| with_path("cannot make durable", path, &error))
}

/// An exclusive lock on a file, held until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock at `path`, waiting only for who looks whether it [is held](Self::is_held).
    /// The file is made when missing and stays there.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] when another holder has it, with its process id where known.
    pub fn acquire(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let mut file = options
            .open(path)
            .map_err(|e| with_path("cannot open", path, &e))?;
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tries < LOCK_TRIES_MAX => {
                    tries += 1;
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(TryLockError::WouldBlock) => return Err(held_by_another(path)),
                Err(TryLockError::Error(error)) => {
                    return Err(with_path("cannot lock", path, &error));
                }
            }
        }
        // Only for the message that the next one gets: on a full disk there is none.
        let noted = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        drop(noted);
        Ok(Self { file })
    }

    /// Whether somebody holds the lock at `path`. Nobody is kept from taking it by being asked, and
    /// nothing is made or changed.
    #[must_use]
    pub fn is_held(path: &Path) -> bool {
        let looked = File::open(path).map(|file| file.try_lock_shared());
        matches!(looked, Ok(Err(TryLockError::WouldBlock)))
    }
}

/// Waits until nobody holds a lock on the file at `path`, which another library takes; at once
/// where there is no such file.
///
/// # Errors
/// `WouldBlock` when somebody still does after `patience`; else when it cannot be looked at.
pub fn wait_until_free(path: &Path, patience: Duration) -> io::Result<()> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(|e| with_path("cannot open", path, &e))?,
    };
    let deadline = crate::clock::monotonic() + patience;
    loop {
        match file.try_lock() {
            // Given back with the file, right away.
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if crate::clock::monotonic() < deadline => {
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(error) => return Err(with_path("cannot lock", path, &error.into())),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing releases the lock anyway; the number of a process that is gone would mislead.
        drop(self.file.set_len(0));
    }
}

fn write_and_rename(
    mut file: File,
    temporary: &Path,
    path: &Path,
    bytes: &[u8],
    mode: u32,
) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    crash::at(Point::FileWritten);
    std::fs::rename(temporary, path)?;
    crash::at(Point::FileRenamed);
    Ok(())
}

/// Makes a new file beside `path`. A name that is taken is a former process's leftover: in a
/// container every process may have the same id, so the next number is tried.
fn create_beside(path: &Path, mode: u32) -> io::Result<(PathBuf, File)> {
    for _ in 0..LEFTOVERS_MAX {
        let temporary = temporary_beside(path)?;
        let opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temporary);
        match opened {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(with_path("cannot write", path, &error)),
        }
    }
    let problem = "too many temporary files of former processes beside it";
    let error = io::Error::new(io::ErrorKind::AlreadyExists, problem);
    Err(with_path("cannot write", path, &error))
}

fn temporary_beside(path: &Path) -> io::Result<PathBuf> {
    let Some(name) = path.file_name() else {
        let problem = format!("cannot write {}: not the name of a file", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    };
    let mut temporary = OsString::from(".");
    temporary.push(name);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    temporary.push(format!(".{}-{number}.tmp", std::process::id()));
    Ok(path.with_file_name(temporary))
}

/// The number of the next temporary file of this process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// How many leftovers are passed over before a write is given up.
const LEFTOVERS_MAX: usize = 10_000;

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        Some(_) | None => Path::new("."),
    }
}

fn held_by_another(path: &Path) -> io::Error {
    let holder = std::fs::read_to_string(path).unwrap_or_default();
    let holder = match holder.trim() {
        "" => String::new(),
        pid => format!(" (process {pid})"),
    };
    let problem = format!("{} is held by another process{holder}", path.display());
    io::Error::new(io::ErrorKind::WouldBlock, problem)
}

fn with_path(what: &str, path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what} {}: {error}", path.display()))
}

/// Who looks at a lock is done with it within a moment.
const LOCK_TRIES_MAX: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_with_its_mode_and_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        write_atomic(&path, b"first", 0o600).unwrap();
        write_atomic(&path, b"second", 0o644).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            1,
            "no temporary file stays"
        );
    }

    #[test]
    fn a_failed_write_leaves_nothing_and_names_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let taken = dir.path().join("taken");
        std::fs::create_dir(&taken).unwrap();
        std::fs::write(taken.join("inside"), b"x").unwrap();
        let error = write_atomic(&taken, b"bytes", 0o600).unwrap_err();
        assert!(error.to_string().contains("taken"), "{error}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        let error = write_atomic(&dir.path().join("no/such/file"), b"", 0o600).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn leftovers_of_a_process_with_the_same_id_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.boot");
        // Other tests take numbers meanwhile; some of these are hit.
        let next = NEXT.load(Ordering::Relaxed);
        for number in next..next + 50 {
            let leftover = format!(".state.boot.{}-{number}.tmp", std::process::id());
            std::fs::write(dir.path().join(leftover), b"").unwrap();
        }
        write_atomic(&path, b"new", 0o600).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn missing_directories_are_made_with_their_mode() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        create_dirs(&deep, 0o700).unwrap();
        create_dirs(&deep, 0o755).unwrap();
        let mode = std::fs::metadata(&deep).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_lock_is_exclusive_and_ends_with_its_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ward.lock");
        let held = Lock::acquire(&path).unwrap();
        let refused = Lock::acquire(&path).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        assert!(
            refused
                .to_string()
                .contains(&std::process::id().to_string()),
            "{refused}"
        );
        drop(held);
        Lock::acquire(&path).unwrap();
    }

    #[test]
    fn a_lock_that_another_holds_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("LOCK");
        wait_until_free(&path, Duration::ZERO).unwrap();
        let held = Lock::acquire(&path).unwrap();
        let refused = wait_until_free(&path, Duration::ZERO).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock, "{refused}");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| wait_until_free(&path, Duration::from_secs(30)));
            drop(held);
            waiting.join().unwrap().unwrap();
        });
        Lock::acquire(&path).unwrap();
    }

    #[test]
    fn who_looks_at_a_lock_keeps_nobody_from_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ward.lock");
        assert!(!Lock::is_held(&path) && !path.exists());
        drop(Lock::acquire(&path).unwrap());
        let over = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while over.load(Ordering::Relaxed) == 0 {
                    std::hint::black_box(Lock::is_held(&path));
                }
            });
            let taken: Vec<_> = (0..300).map(|_| Lock::acquire(&path).map(drop)).collect();
            over.store(1, Ordering::Relaxed);
            assert!(taken.iter().all(Result::is_ok), "{taken:?}");
        });
        let held = Lock::acquire(&path).unwrap();
        let noted = std::fs::read(&path).unwrap();
        assert!(Lock::is_held(&path));
        assert_eq!(std::fs::read(&path).unwrap(), noted);
        drop(held);
        assert!(!Lock::is_held(&path));
    }
}
