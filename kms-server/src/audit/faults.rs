//! A disk that fails on command, for the tests of the log.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::disk::{Disk, DiskFile, OsDisk};

/// What the next operations on a disk do.
#[derive(Clone, Copy, Default)]
pub(super) enum Fault {
    #[default]
    None,
    /// A write puts down this many bytes, then the disk is full.
    FullAfter(usize),
    /// Syncs fail.
    Sync,
}

/// Faults switched on and off while the writer runs.
#[derive(Clone, Default)]
pub(super) struct Faults {
    fault: Arc<Mutex<Fault>>,
    syncs: Arc<AtomicU64>,
}

impl Faults {
    pub(super) fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    pub(super) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    pub(super) fn disk(&self) -> FaultyDisk {
        FaultyDisk(self.clone())
    }
}

pub(super) struct FaultyDisk(Faults);

impl Disk for FaultyDisk {
    fn open(&mut self, path: &Path, truncate: bool) -> io::Result<Box<dyn DiskFile>> {
        let file = OsDisk.open(path, truncate)?;
        Ok(Box::new(FaultyFile {
            file,
            faults: self.0.clone(),
        }))
    }
}

struct FaultyFile {
    file: Box<dyn DiskFile>,
    faults: Faults,
}

impl DiskFile for FaultyFile {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let fault = *self.faults.fault.lock().unwrap();
        match fault {
            Fault::FullAfter(room) => {
                self.file
                    .write_at(offset, &bytes[..room.min(bytes.len())])?;
                Err(io::ErrorKind::StorageFull.into())
            }
            Fault::None | Fault::Sync => self.file.write_at(offset, bytes),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.faults.syncs.fetch_add(1, Ordering::Relaxed);
        let fault = *self.faults.fault.lock().unwrap();
        match fault {
            Fault::Sync => Err(io::Error::other("injected")),
            Fault::None | Fault::FullAfter(_) => self.file.sync(),
        }
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.file.truncate(bytes)
    }

    fn is_in_place(&self) -> io::Result<bool> {
        self.file.is_in_place()
    }
}
