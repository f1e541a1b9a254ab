//! Snapshots: files that hold the whole state at one point, durable before anything relies on them.
//!
//! `format` writes and reads the bytes, `shelf` keeps the newest file in its directory.

mod format;
mod shelf;
#[cfg(test)]
mod tests;

pub(crate) use format::{SnapshotNewer, SnapshotWriter, read_snapshot};
pub(crate) use shelf::{Incoming, Shelf, SnapshotFile};
