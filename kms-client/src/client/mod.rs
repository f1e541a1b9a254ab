//! The client: typed verbs over one channel per node.
//!
//! A verb goes `verbs` → `call` (node after node, until the deadline) → `nodes` (whom to ask) →
//! `channel` (our own TLS); a refusal comes back through `status`.

pub(crate) mod anonymous;
mod backoff;
mod builder;
mod call;
mod channel;
mod fault;
mod key_stream;
mod nodes;
mod refresh;
mod renew;
mod status;
#[cfg(test)]
mod tests;
mod verbs;
mod watch;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sys::task::AbortOnDrop;
use ward_proto::v1;

pub use builder::ClientBuilder;
pub use key_stream::KeyStream;
pub use verbs::Batch;
pub use watch::Watch;

use self::nodes::Nodes;
use crate::error::Error;
use crate::identity::{Endpoint, Identity, IdentityDir, SpiffeId};
use rustls_pki_types::CertificateDer;

/// A client of the cluster. Cheap to clone; clones share connections.
///
/// Finds the nodes and the leader by itself, tries again until its deadline (10 s unless set
/// otherwise) where that is safe, and reads its own writes whichever node answers. Needs a tokio
/// runtime with I/O and time enabled.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    nodes: Arc<Nodes>,
    dir: Option<IdentityDir>,
    /// The folder's list of nodes as last read; `None` where the caller gave the nodes.
    folder_endpoints: Mutex<Option<Vec<Endpoint>>>,
    /// The folder's certificate as last read; `None` where the caller gave the identity.
    folder_certificate: Mutex<Option<CertificateDer<'static>>>,
    deadline: Duration,
    /// The greatest index that any answer stood at: what a read must have applied at least.
    seen_index: AtomicU64,
    /// Held by whoever renews the certificate: one at a time.
    renewal: tokio::sync::Mutex<()>,
    /// The running refresh of the node list, at most one.
    refresh: Mutex<Option<AbortOnDrop<()>>>,
}

impl Client {
    /// Opens an identity folder, or a data directory of `ward up`, as its operator.
    ///
    /// ```no_run
    /// # async fn example() -> kms_client::Result<()> {
    /// let client = kms_client::Client::open("ward-data")?;
    /// for key in client.list_keys("").await? {
    ///     println!("{} {}", key.id, key.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::open`].
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, Error> {
        Self::builder().dir(dir).open()
    }

    /// Opens a client with settings of its own.
    ///
    /// ```no_run
    /// # fn example() -> kms_client::Result<()> {
    /// use std::time::Duration;
    ///
    /// let client = kms_client::Client::builder()
    ///     .dir("/etc/ward/reader")
    ///     .deadline(Duration::from_secs(2))
    ///     .open()?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Tells who this client is to the cluster.
    #[must_use]
    pub fn id(&self) -> SpiffeId {
        self.inner.nodes.identity().id().clone()
    }

    /// The identity as it is now: a renewal replaces it.
    #[must_use]
    pub fn identity(&self) -> Arc<Identity> {
        self.inner.nodes.identity()
    }

    /// Tells the greatest log index that an answer to this client stood at; its reads wait for it
    /// on whichever node they reach.
    #[must_use]
    pub fn seen_index(&self) -> u64 {
        self.inner.seen_index.load(Ordering::Acquire)
    }

    /// Makes this client's reads wait for at least `index`, which another client has seen.
    pub fn observe_index(&self, index: u64) {
        self.inner.seen_index.fetch_max(index, Ordering::AcqRel);
    }
}

impl Inner {
    fn read_options(&self) -> Option<v1::ReadOptions> {
        Some(v1::ReadOptions {
            min_index: self.seen_index.load(Ordering::Acquire),
        })
    }

    fn saw(&self, applied: Option<v1::Applied>) {
        if let Some(applied) = applied {
            self.saw_index(applied.index);
        }
    }

    fn saw_index(&self, index: u64) {
        self.seen_index.fetch_max(index, Ordering::AcqRel);
    }
}
