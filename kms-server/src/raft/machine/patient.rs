//! A writer that waits while the disk is full; the snapshot builder writes through it.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use super::Core;

/// Hands on what is written; tries again what found no room, until the replica closes.
pub(super) struct Patient<'a, W> {
    out: W,
    core: &'a Core,
}

impl<'a, W: Write> Patient<'a, W> {
    pub(super) fn new(out: W, core: &'a Core) -> Self {
        Self { out, core }
    }

    pub(super) fn into_inner(self) -> W {
        self.out
    }

    fn again<T>(&mut self, mut write: impl FnMut(&mut W) -> io::Result<T>) -> io::Result<T> {
        loop {
            match write(&mut self.out) {
                Err(error) if sys::file::is_full(&error) && !self.core.is_closing() => {
                    tracing::error!("the disk is full: the snapshot waits for space");
                    thread::sleep(FULL_RETRY);
                }
                written => return written,
            }
        }
    }
}

impl<W: Write> Write for Patient<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A write that failed has taken nothing.
        self.again(|out| out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.again(W::flush)
    }
}

/// How often it is tried again.
const FULL_RETRY: Duration = Duration::from_millis(200);
