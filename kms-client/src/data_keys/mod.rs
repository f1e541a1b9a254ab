//! Data keys on lease: fetched ahead, kept within the limits that the cluster set, withdrawn by
//! its watch. Used by gateways for their archive, and by applications that seal many objects.

mod entries;
mod lease;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use envelope::context::EncryptionContext;
use envelope::id::{KeyId, KeyVersion};
use futures::future::BoxFuture;
use sys::task::AbortOnDrop;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::time::{MissedTickBehavior, interval};

use self::entries::{Ending, Entries, Fetch, LeaseFor};
pub use self::lease::Lease;
use crate::client::{Client, KeyStream, Watch};
use crate::error::Error;
use crate::limits::{LEASE_FETCHES_MAX, LEASE_SWEEP};
use crate::model::{DataKeyKind, DataKeys, KeySelector, WatchEvent, WatchEventKind};
use crate::reason::Reason;

/// A cache of leased data keys.
///
/// - A lease serves until its age (counted from when it was asked for, also while the machine
///   sleeps), its objects or its bytes are used up. At half of any of them a successor is fetched
///   in the background.
/// - When its key is rotated or disabled, a lease is dropped at once, and wiped when the last
///   object begun under it is done.
/// - When events may have been missed, each lease is suspect: its successor is fetched at once, and
///   what the cluster answers, a key or a refusal, ends it.
/// - While the cluster cannot be reached, a lease serves on, within its limits.
///
/// ```no_run
/// # async fn example(client: kms_client::Client) -> kms_client::Result<()> {
/// use kms_client::{EncryptionContext, data_keys::DataKeyCache, model::KeySelector};
///
/// let cache = DataKeyCache::start(client);
/// let key = KeySelector::from("billing");
/// let lease = cache.get(&key, &EncryptionContext::new(), 4096).await?;
/// // … seal an object of at most 4 096 bytes under lease.secret(), store lease.wrapped() …
/// lease.give_back(4096 - 1000);
/// # Ok(())
/// # }
/// ```
pub struct DataKeyCache {
    shared: Arc<Shared>,
    _follower: AbortOnDrop<()>,
}

impl DataKeyCache {
    /// Starts a cache, whose watch and fetches run on the current runtime.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start(client: Client) -> Self {
        let watch = client.watch();
        let stream = client.key_stream();
        let source = Arc::new(Cluster { stream, client });
        let shared = Arc::new(Shared::new(source, Handle::current()));
        let follower = sys::task::spawn("follow-key-changes", follow(Arc::clone(&shared), watch));
        Self {
            shared,
            _follower: AbortOnDrop(follower),
        }
    }

    /// Answers a lease for one more object of at most `bytes_max`; waits while one is fetched.
    ///
    /// # Errors
    ///
    /// As [`Client::generate_data_keys`]; [`Reason::Quota`] when the object is larger than any
    /// lease allows.
    pub async fn get(
        &self,
        key: &KeySelector,
        context: &EncryptionContext,
        bytes_max: u64,
    ) -> Result<Arc<Lease>, Error> {
        self.shared
            .get(&LeaseFor::new(key, context), bytes_max)
            .await
    }

    /// Answers a lease for one more object of at most `bytes_max` if there is one now. Never
    /// waits, and may be called from any thread; what is missing is fetched in the background.
    #[must_use]
    pub fn try_get(
        &self,
        key: &KeySelector,
        context: &EncryptionContext,
        bytes_max: u64,
    ) -> Option<Arc<Lease>> {
        self.shared.try_get(&LeaseFor::new(key, context), bytes_max)
    }

    /// Whether a lease of this key that may still be used is under an older version than this.
    #[must_use]
    pub fn holds_older(&self, key_id: KeyId, version: KeyVersion) -> bool {
        let now = sys::clock::boottime();
        self.shared.lock().holds_older(now, key_id, version)
    }

    /// Fetches a lease in the background, for an object that will come soon. May be called from
    /// any thread.
    pub fn prefetch(&self, key: &KeySelector, context: &EncryptionContext) {
        let what = LeaseFor::new(key, context);
        self.shared.fetch_when_wanted(&what, true);
    }
}

/// Where leases come from.
trait Source: Send + Sync {
    fn generate(
        &self,
        key: KeySelector,
        context: EncryptionContext,
    ) -> BoxFuture<'_, Result<DataKeys, Error>>;
}

/// The cluster, on one stream for all fetches.
struct Cluster {
    stream: KeyStream,
    client: Client,
}

impl Source for Cluster {
    fn generate(
        &self,
        key: KeySelector,
        context: EncryptionContext,
    ) -> BoxFuture<'_, Result<DataKeys, Error>> {
        Box::pin(async move {
            let kind = DataKeyKind::Object;
            let made = self
                .stream
                .generate_data_keys(key.clone(), &context, kind, 1);
            match made.await {
                // Nodes of an older version know no streams.
                Err(error) if error.reason() == Reason::VersionNewer => {
                    self.client.generate_data_keys(key, &context, kind, 1).await
                }
                made => made,
            }
        })
    }
}

struct Shared {
    source: Arc<dyn Source>,
    runtime: Handle,
    entries: Mutex<Entries>,
    /// Bounds what a Resync sets off.
    fetches: Semaphore,
}

impl Shared {
    fn new(source: Arc<dyn Source>, runtime: Handle) -> Self {
        let fetches = Semaphore::new(LEASE_FETCHES_MAX);
        Self {
            source,
            runtime,
            entries: Mutex::default(),
            fetches,
        }
    }

    fn try_get(self: &Arc<Self>, what: &LeaseFor, bytes: u64) -> Option<Arc<Lease>> {
        let lease = self.lock().reserve(what, sys::clock::boottime(), bytes);
        self.fetch_when_wanted(what, lease.is_some());
        lease
    }

    async fn get(self: &Arc<Self>, what: &LeaseFor, bytes: u64) -> Result<Arc<Lease>, Error> {
        // The first fetch may be one that began for somebody else, and its lease be used up by
        // others; a second one all for nothing says that the object does not fit.
        for _ in 0..GET_FETCHES_MAX {
            if let Some(lease) = self.try_get(what, bytes) {
                return Ok(lease);
            }
            self.fetched(what).await?;
        }
        self.try_get(what, bytes).ok_or_else(|| {
            let message = "the object is larger than a data key may seal; use smaller objects";
            Error::new(Reason::Quota, message)
        })
    }

    /// Waits for the fetch that runs, or one that begins now.
    async fn fetched(self: &Arc<Self>, what: &LeaseFor) -> Result<(), Error> {
        let mut ending = {
            let mut entries = self.lock();
            match entries.running(what) {
                Some(ending) => ending,
                None => self.begin_fetch(&mut entries, what),
            }
        };
        match ending.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(Err(error))) => Err(Error::new(error.reason(), error.message())),
            // Evicted while it was fetched: the caller asks again.
            Ok(Some(Ok(())) | None) | Err(_) => Ok(()),
        }
    }

    /// Starts a fetch unless one runs, one failed just before, or what is there will do.
    fn fetch_when_wanted(self: &Arc<Self>, what: &LeaseFor, served: bool) {
        let mut entries = self.lock();
        if entries.wants_fetch(what, sys::clock::boottime(), served) {
            self.begin_fetch(&mut entries, what);
        }
    }

    fn begin_fetch(
        self: &Arc<Self>,
        entries: &mut Entries,
        what: &LeaseFor,
    ) -> watch::Receiver<Ending> {
        let (tell, ending) = watch::channel(None);
        let fetch = fetch(Arc::clone(self), what.clone(), tell);
        let task = sys::task::spawn_on(&self.runtime, "lease-data-key", fetch);
        let fetch = Fetch {
            ending: ending.clone(),
            _task: AbortOnDrop(task),
        };
        entries.begin(what, sys::clock::boottime(), fetch);
        ending
    }

    fn apply(self: &Arc<Self>, event: &WatchEvent) {
        let to_fetch = match &event.kind {
            WatchEventKind::KeyChanged(change) => self.lock().withdraw(change),
            WatchEventKind::Resync => self.lock().suspect_all(),
            WatchEventKind::DeviceChanged(_) | WatchEventKind::Heartbeat { .. } => return,
        };
        self.fetch_all(to_fetch);
    }

    /// Drops what is too old, and checks again what is suspect although nobody asks for it.
    fn sweep(self: &Arc<Self>, now: Duration) {
        let to_fetch = self.lock().sweep(now);
        self.fetch_all(to_fetch);
    }

    fn fetch_all(self: &Arc<Self>, leases: Vec<LeaseFor>) {
        for what in leases {
            self.fetch_when_wanted(&what, false);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // A panic under the lock can at worst leave a lease in that its own limits still bound.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn fetch(shared: Arc<Shared>, what: LeaseFor, tell: watch::Sender<Ending>) {
    let ending = fetch_until_current(&shared, &what).await;
    // The entry has let go of this task by now, which aborts it at its next await: none follows.
    if let Err(error) = &ending {
        shared.lock().fail(&what, sys::clock::boottime(), error);
        tracing::warn!(reason = %error.reason(), "no data key: {error}");
    }
    // Only a caller of `get` listens, and it may have given up.
    tell.send_replace(Some(ending));
}

/// Fetches until no withdrawal came in between.
async fn fetch_until_current(shared: &Shared, what: &LeaseFor) -> Result<(), Arc<Error>> {
    let Ok(_permit) = shared.fetches.acquire().await else {
        return Err(Arc::new(Error::new(
            Reason::Internal,
            "the data-key cache has ended",
        )));
    };
    loop {
        let generation = shared.lock().ask(what);
        let lease = lease(shared, what).await.map_err(Arc::new)?;
        if shared
            .lock()
            .install(what, sys::clock::boottime(), generation, lease)
        {
            return Ok(());
        }
    }
}

async fn lease(shared: &Shared, what: &LeaseFor) -> Result<Lease, Error> {
    // Before the request leaves: the cluster counts from then at the earliest.
    let sent_at = sys::clock::boottime();
    let made = shared
        .source
        .generate(what.key.clone(), what.context()?)
        .await?;
    let key =
        made.keys.into_iter().next().ok_or_else(|| {
            Error::new(Reason::Internal, "the cluster answered without a data key")
        })?;
    Ok(Lease::new(
        key,
        made.key_id,
        made.key_version,
        made.limits,
        sent_at,
    ))
}

/// Applies what the watch tells, and sweeps what nobody asks for any more.
async fn follow(shared: Arc<Shared>, mut watch: Watch) {
    let mut sweep = interval(LEASE_SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = watch.next() => shared.apply(&event),
            _ = sweep.tick() => shared.sweep(sys::clock::boottime()),
        }
    }
}

/// How often one `get` waits for a fetch.
const GET_FETCHES_MAX: usize = 2;
