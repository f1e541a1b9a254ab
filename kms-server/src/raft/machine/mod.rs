//! The state machine: what is committed becomes the state. openraft's trait over `state`.
//!
//! Each entry of a chunk goes into the memory index, then the whole chunk is one sled batch (its
//! records and the applied index), then the applied index is published and all are answered. It
//! happens off the runtime, in the order of the log.

mod builder;
mod core;
#[cfg(test)]
mod measure;
mod patient;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use openraft::OptionalSend;
use openraft::alias::{LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf};
use openraft::storage::{EntryResponder, RaftStateMachine};

use self::builder::Builder;
pub(crate) use self::core::Core;
use super::TypeConfig;
use super::snapshot::SnapshotFile;
use crate::replica::limits::APPLY_CHUNK;

/// The state machine, as openraft sees it.
#[derive(Debug)]
pub(crate) struct StateMachine {
    core: Arc<Core>,
}

impl StateMachine {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    async fn off_runtime<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Core) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let core = self.core.clone();
        tokio::task::spawn_blocking(move || core.note(work(&core)))
            .await
            .map_err(io::Error::other)?
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = Builder;

    async fn applied_state(
        &mut self,
    ) -> io::Result<(Option<LogIdOf<TypeConfig>>, StoredMembershipOf<TypeConfig>)> {
        let applied = self.core.applied();
        Ok((applied.log_id, applied.membership))
    }

    async fn apply<S>(&mut self, entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + OptionalSend,
    {
        // Chunks of what is ready; an entry alone does not wait for others.
        let mut chunks = entries.ready_chunks(APPLY_CHUNK);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.into_iter().collect::<io::Result<Vec<_>>>()?;
            self.off_runtime(move |core| core.apply(chunk)).await?;
        }
        Ok(())
    }

    async fn try_create_snapshot_builder(&mut self, _force: bool) -> Option<Builder> {
        Some(self.get_snapshot_builder().await)
    }

    async fn get_snapshot_builder(&mut self) -> Builder {
        Builder::pin(self.core.clone())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMetaOf<TypeConfig>,
        snapshot: SnapshotFile,
    ) -> io::Result<()> {
        let meta = meta.clone();
        self.off_runtime(move |core| core.install(&meta, &snapshot))
            .await
    }

    async fn get_current_snapshot(
        &mut self,
    ) -> io::Result<Option<SnapshotOf<TypeConfig, SnapshotFile>>> {
        Ok(self.core.shelf.current())
    }
}
