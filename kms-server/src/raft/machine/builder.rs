//! Builds a snapshot of a pinned point while apply goes on.

use std::io::{self, Write};
use std::sync::Arc;

use openraft::alias::SnapshotOf;
use openraft::storage::RaftSnapshotBuilder;
use sys::crash::{self, Point};

use super::Core;
use super::patient::Patient;
use crate::raft::TypeConfig;
use crate::raft::snapshot::{SnapshotFile, SnapshotWriter};
use crate::replica::limits::SNAPSHOT_PAGE;
use crate::state::Pin;

/// Made in order with apply: what it writes is the state at that moment.
#[derive(Debug)]
pub(crate) struct Builder {
    core: Arc<Core>,
    pin: Arc<Pin>,
    /// The format of the state at that point.
    format: u32,
}

impl Builder {
    /// Pins the present point.
    pub(super) fn pin(core: Arc<Core>) -> Self {
        let pin = core.pin();
        let format = core.format();
        Self { core, pin, format }
    }
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = SnapshotFile;

    /// Answers once the file and its name are durable; openraft may purge the log after that.
    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<TypeConfig, SnapshotFile>> {
        let core = self.core.clone();
        let (pin, format) = (self.pin.clone(), self.format);
        tokio::task::spawn_blocking(move || core.note(build(&core, &pin, format)))
            .await
            .map_err(io::Error::other)?
    }
}

/// While the disk is full its writes wait, as those of the log do: a failure here ends Raft. What
/// it has taken from the pin is not there a second time, so it goes on where it stands.
fn build(core: &Core, pin: &Pin, format: u32) -> io::Result<SnapshotOf<TypeConfig, SnapshotFile>> {
    let meta = pin.applied.to_snapshot_meta();
    let file = Patient::new(core.shelf.begin()?, core);
    let mut writer = SnapshotWriter::begin(file, format, &meta)?;
    while let Some(page) = core.cell.take_pinned(pin, SNAPSHOT_PAGE) {
        for (id, record) in &page {
            writer.record(id, record)?;
        }
        crash::at(Point::SnapshotBegun);
    }
    let mut written = writer.finish()?;
    written.flush()?;
    let file = written.into_inner().finish()?;
    let snapshot = core.keep(&meta, &file)?;
    Ok(SnapshotOf::<TypeConfig, SnapshotFile> { meta, snapshot })
}
