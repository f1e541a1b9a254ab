//! Copies logs while they are written: `ward up` keeps the newest lines alone.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const STEP: Duration = Duration::from_millis(10);

/// Follows every `*.log` of a folder.
pub struct Follower {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<()>>,
    into: PathBuf,
}

impl Follower {
    /// Starts to copy the logs in `folder`, which need not be there yet, into `into`.
    ///
    /// # Panics
    /// When `into` cannot be made.
    pub fn start(folder: &Path, into: &Path) -> Self {
        fs::create_dir_all(into).expect("a writable folder");
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, from, to) = (stop.clone(), folder.to_owned(), into.to_owned());
        let thread = thread::spawn(move || {
            let mut read = BTreeMap::new();
            // The flag is looked at first, so that what was written before it was set is copied.
            loop {
                let last = stopped.load(Ordering::Acquire);
                step(&from, &to, &mut read)?;
                if last {
                    return Ok(());
                }
                thread::sleep(STEP);
            }
        });
        Self {
            stop,
            thread,
            into: into.to_owned(),
        }
    }

    /// Copies the rest and gives back the folder of the copies.
    ///
    /// # Panics
    /// When a log could not be copied.
    pub fn stop(self) -> PathBuf {
        self.stop.store(true, Ordering::Release);
        let ended = self.thread.join().expect("the follower does not panic");
        ended.expect("logs can be copied");
        self.into
    }
}

/// Copies what is new; `read` says how much of each log was.
fn step(from: &Path, to: &Path, read: &mut BTreeMap<PathBuf, u64>) -> io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let name = path.file_name().expect("an entry has a name");
        let mut copy = File::options()
            .create(true)
            .append(true)
            .open(to.join(name))?;
        let offset = read.entry(path.clone()).or_default();
        if fs::metadata(&path)?.len() < *offset {
            // It was set aside whole, and begun anew.
            append(&path.with_extension("log.old"), *offset, &mut copy)?;
            *offset = 0;
        }
        *offset += append(&path, *offset, &mut copy)?;
    }
    Ok(())
}

fn append(from: &Path, offset: u64, to: &mut File) -> io::Result<u64> {
    let mut file = File::open(from)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(offset))?;
    io::copy(&mut file.take(length.saturating_sub(offset)), to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_set_aside_is_copied_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (log, old) = (dir.path().join("a.log"), dir.path().join("a.log.old"));
        let into = dir.path().join("copies");
        fs::create_dir(&into).unwrap();
        let mut read = BTreeMap::new();
        fs::write(&log, "one\n").unwrap();
        step(dir.path(), &into, &mut read).unwrap();
        fs::write(&old, "one\ntwo\n").unwrap();
        fs::write(&log, "3\n").unwrap();
        step(dir.path(), &into, &mut read).unwrap();
        let copied = fs::read_to_string(into.join("a.log")).unwrap();
        assert_eq!(copied, "one\ntwo\n3\n");
    }
}
