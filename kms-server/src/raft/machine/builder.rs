//! Builds a snapshot of a pinned point while apply goes on.

use std::io::{self, Write};
use std::sync::Arc;

use openraft::alias::SnapshotOf;
use openraft::storage::RaftSnapshotBuilder;

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
    /// Of the state there.
    format_version: u32,
}

impl Builder {
    /// Pins the present point.
    pub(super) fn pin(core: Arc<Core>) -> Self {
        let pin = core.pin();
        let format_version = core.cell.index().format_version();
        Self {
            core,
            pin,
            format_version,
        }
    }
}

impl RaftSnapshotBuilder<TypeConfig> for Builder {
    type SnapshotData = SnapshotFile;

    /// Answers once the file and its name are durable; openraft may purge the log after that.
    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<TypeConfig, SnapshotFile>> {
        let core = self.core.clone();
        let (pin, format_version) = (self.pin.clone(), self.format_version);
        tokio::task::spawn_blocking(move || core.note(build(&core, &pin, format_version)))
            .await
            .map_err(io::Error::other)?
    }
}

/// While the disk is full its writes wait, as those of the log do: a failure here ends Raft. What
/// it has taken from the pin is not there a second time, so it goes on where it stands.
fn build(
    core: &Core,
    pin: &Pin,
    format_version: u32,
) -> io::Result<SnapshotOf<TypeConfig, SnapshotFile>> {
    let meta = pin.applied.to_snapshot_meta();
    let out = Patient::new(core.shelf.begin()?, core);
    let mut writer = SnapshotWriter::begin(out, &meta, format_version)?;
    while let Some(page) = core.cell.take_pinned(pin, SNAPSHOT_PAGE) {
        for (id, record) in &page {
            writer.record(id, record)?;
        }
    }
    let mut written = writer.finish()?;
    written.flush()?;
    let file = written.into_inner().finish()?;
    let snapshot = core.keep(&meta, &file)?;
    Ok(SnapshotOf::<TypeConfig, SnapshotFile> { meta, snapshot })
}
