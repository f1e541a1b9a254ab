//! A disk of a node's own: a file with an ext4 on it. Cutting its power keeps what was written out,
//! as a disk does, and loses what was not synced.
//!
//! ```text
//! node ─write─▶ page cache of the mounted ext4 ─fsync, or later─▶ the file (the disk)
//! ```
//! At a cut the file is copied as it is; the copy is mounted, and ext4 replays its journal.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::files;

/// A mounted disk; unmounted when dropped.
pub(super) struct Disk {
    image: PathBuf,
    /// Where it is mounted.
    at: PathBuf,
}

impl Disk {
    /// Makes one of so many bytes below `folder` and mounts it at `at`. `None` where that cannot be
    /// done: only root can mount.
    ///
    /// # Panics
    /// When the folder cannot be written.
    pub(super) fn make(folder: &Path, name: &str, at: &Path, bytes: u64) -> Option<Self> {
        let image = folder.join(format!("{name}.disk"));
        let file = File::create(&image).expect("a file");
        file.set_len(bytes).expect("a sparse file");
        fs::create_dir_all(at).expect("a folder");
        let mut make = Command::new("mkfs.ext4");
        // Without lazy initialisation: it would write in the background for ever.
        make.args(["-q", "-E", "lazy_itable_init=0,lazy_journal_init=0"]);
        let disk = Self {
            image,
            at: at.to_owned(),
        };
        (succeeds(make.arg(&disk.image)) && disk.mount()).then_some(disk)
    }

    /// Cuts its power and gives it power again. Nobody may have a file open on it.
    ///
    /// # Panics
    /// When it cannot be mounted any more.
    pub(super) fn cut_power(&mut self) {
        let mut copy = self.image.clone();
        copy.set_extension("cut");
        let mut copying = Command::new("cp");
        copying.arg("--sparse=always").args([&self.image, &copy]);
        assert!(
            succeeds(&mut copying),
            "cannot copy {}",
            self.image.display()
        );
        // What this writes out goes to the disk that is thrown away.
        self.unmount();
        fs::rename(&copy, &self.image).expect("the same folder");
        assert!(self.mount(), "cannot mount {}", self.image.display());
    }

    /// Fills it to the last byte.
    ///
    /// # Panics
    /// When that fails otherwise.
    pub(super) fn fill(&self) {
        let mut file = File::create(self.filler()).expect("room for a name");
        for chunk in [vec![0; 64 * 1024], vec![0; 512]] {
            let full = loop {
                if let Err(error) = file.write_all(&chunk) {
                    break error;
                }
            };
            assert_eq!(full.kind(), ErrorKind::StorageFull);
        }
    }

    /// Gives it room again.
    ///
    /// # Panics
    /// When it stays full.
    pub(super) fn empty(&self) {
        files::remove(&self.filler());
    }

    fn filler(&self) -> PathBuf {
        self.at.join("filler")
    }

    fn mount(&self) -> bool {
        // Nothing is written out by time: only what is synced survives.
        let options = "loop,commit=600,noatime";
        succeeds(
            Command::new("mount")
                .args(["-o", options])
                .args([&self.image, &self.at]),
        )
    }

    fn unmount(&self) {
        let mut unmount = Command::new("umount");
        // Lazily while a test fails: a process may still be there.
        if std::thread::panicking() {
            unmount.arg("--lazy");
        }
        let done = succeeds(unmount.arg(&self.at)) || std::thread::panicking();
        assert!(done, "cannot unmount {}", self.at.display());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.unmount();
    }
}

fn succeeds(command: &mut Command) -> bool {
    let output: io::Result<_> = command.output();
    output.is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_cut_keeps_what_was_synced_and_loses_what_was_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("mounted");
        let Some(mut disk) = Disk::make(folder.path(), "disk", &at, 64 << 20) else {
            crate::skip::skip("power cuts (only root can mount a disk; needs e2fsprogs)");
            return;
        };
        let write = |name: &str| {
            let mut file = File::create(at.join(name)).unwrap();
            file.write_all(&[7; 10_000]).unwrap();
            file
        };
        write("synced").sync_all().unwrap();
        File::open(&at).unwrap().sync_all().unwrap();
        drop(write("lost"));
        disk.cut_power();
        assert_eq!(fs::read(at.join("synced")).unwrap(), [7; 10_000]);
        let lost = fs::read(at.join("lost")).unwrap_or_default();
        assert!(!lost.contains(&7), "nothing that was not synced is there");
        disk.fill();
        let full = fs::write(at.join("more"), [7; 10_000]).unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        disk.empty();
        fs::write(at.join("more"), [7; 10_000]).unwrap();
    }
}
