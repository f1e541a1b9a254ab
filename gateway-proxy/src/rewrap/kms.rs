//! What rewrapping asks of the KMS, and of the gateway's leases. It blocks: the thread that asks
//! has nothing else to do.

use std::sync::Arc;
use std::time::Duration;

use envelope::id::{KeyId, KeyVersion};
use kms_client::model::{ArchiveReport, RewrapItem, Rewrapped, RunningRewrap};
use kms_client::reason::Reason;
use kms_client::{Client, Error};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::archive::LeasedKeys;

/// What became of each of several data keys.
pub(super) type Moved = Vec<Result<Rewrapped, Error>>;

/// The KMS, as far as rewrapping knows it.
pub trait Kms: Send {
    /// Tells, or only asks; answers the jobs that run.
    ///
    /// # Errors
    /// What the KMS answers, or that the gateway stops.
    fn report(&self, report: Option<&ArchiveReport>) -> Result<Vec<RunningRewrap>, Error>;

    /// Moves data keys of one key, or compares what was moved.
    ///
    /// # Errors
    /// Likewise.
    fn rewrap(&self, key_id: KeyId, items: &[RewrapItem]) -> Result<Moved, Error>;

    /// Whether objects may still begin here under an older version of a key than this.
    fn holds_older(&self, key_id: KeyId, version: KeyVersion) -> bool;

    /// Waits; answers whether the gateway stops.
    fn pause(&self, pause: Duration) -> bool;
}

/// The real one, asked from a thread that is none of the runtime's.
pub struct Asking {
    /// Asks.
    pub client: Client,
    /// Where it asks.
    pub runtime: Handle,
    /// None without an archive.
    pub leases: Option<Arc<LeasedKeys>>,
    /// Whether the cluster knows what this gateway is: before, it may not ask.
    pub announced: watch::Receiver<bool>,
    /// Whether the gateway stops.
    pub stopped: watch::Receiver<bool>,
}

impl Asking {
    /// Waits for an answer, no longer than the gateway runs.
    fn wait<T>(&self, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let (mut announced, mut stopped) = (self.announced.clone(), self.stopped.clone());
        let stops = || Error::new(Reason::Unavailable, "this gateway stops");
        self.runtime.block_on(async {
            let answer = async {
                announced.wait_for(|it| *it).await.map_err(|_| stops())?;
                asked.await
            };
            tokio::select! {
                answer = answer => answer,
                _ = stopped.wait_for(|it| *it) => Err(stops()),
            }
        })
    }
}

impl Kms for Asking {
    fn report(&self, report: Option<&ArchiveReport>) -> Result<Vec<RunningRewrap>, Error> {
        self.wait(self.client.report_archive(report))
    }

    fn rewrap(&self, key_id: KeyId, items: &[RewrapItem]) -> Result<Moved, Error> {
        self.wait(self.client.rewrap_data_keys(key_id, items))
    }

    fn holds_older(&self, key_id: KeyId, version: KeyVersion) -> bool {
        let leases = self.leases.as_ref();
        leases.is_some_and(|leases| leases.holds_older(key_id, version))
    }

    fn pause(&self, pause: Duration) -> bool {
        let mut stopped = self.stopped.clone();
        self.runtime.block_on(async {
            // Nobody is left to stop it: as if it were stopped.
            tokio::time::timeout(pause, stopped.wait_for(|it| *it))
                .await
                .is_ok()
        })
    }
}
