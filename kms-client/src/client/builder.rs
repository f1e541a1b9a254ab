//! How a client is opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::nodes::Nodes;
use super::{Client, Inner};
use crate::error::Error;
use crate::identity::{Endpoint, Identity, IdentityDir, NodeId};
use crate::limits::DEADLINE_DEFAULT;
use crate::reason::Reason;

/// Settings of a client to be opened. See [`Client::builder`].
#[derive(Clone)]
pub struct ClientBuilder {
    dir: Option<IdentityDir>,
    identity: Option<Identity>,
    endpoints: Option<Vec<Endpoint>>,
    only_node: Option<NodeId>,
    deadline: Duration,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            dir: None,
            identity: None,
            endpoints: None,
            only_node: None,
            deadline: DEADLINE_DEFAULT,
        }
    }
}

impl ClientBuilder {
    /// Uses an identity folder, or the operator's folder inside a data directory of `ward up`, or
    /// the node's own inside a node's.
    #[must_use]
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = Some(IdentityDir::new(identity_folder(dir.as_ref())));
        self
    }

    /// Uses this identity instead of the folder's.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Uses these nodes for the first contact instead of the folder's list.
    #[must_use]
    pub fn endpoints(mut self, endpoints: Vec<Endpoint>) -> Self {
        self.endpoints = Some(endpoints);
        self
    }

    /// Asks this node alone: it serves, or hands on to the leader. The one exception are operator
    /// verbs, which no node hands on: the client follows its answer to the leader.
    #[must_use]
    pub fn only_node(mut self, node: u64) -> Self {
        self.only_node = Some(NodeId(node));
        self
    }

    /// How long a call may take in all, retries included; 10 s unless set.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Reads identity and nodes. No connection is made before the first call.
    ///
    /// # Errors
    ///
    /// [`Reason::Storage`] when a file is missing or malformed; [`Reason::CertificateForeign`]
    /// when key and certificate do not belong together; [`Reason::InvalidArgument`] when neither
    /// a folder nor identity and endpoints are given.
    pub fn open(self) -> Result<Client, Error> {
        let identity_given = self.identity.is_some();
        let identity = match (self.identity, &self.dir) {
            (Some(identity), _) => identity,
            (None, Some(dir)) => dir.load()?,
            (None, None) => return Err(nothing_given("identity")),
        };
        let (endpoints, folder_endpoints) = match (self.endpoints, &self.dir) {
            (Some(endpoints), _) => (endpoints, None),
            (None, Some(dir)) => {
                let read = dir.load_endpoints()?;
                (read.clone(), Some(read))
            }
            (None, None) => return Err(nothing_given("endpoints")),
        };
        let folder_certificate = (!identity_given).then(|| identity.certificate().clone());
        let inner = Inner {
            nodes: Arc::new(Nodes::new(Arc::new(identity), endpoints, self.only_node)),
            dir: self.dir,
            folder_endpoints: std::sync::Mutex::new(folder_endpoints),
            folder_certificate: std::sync::Mutex::new(folder_certificate),
            deadline: self.deadline,
            seen_index: AtomicU64::new(0),
            renewal: tokio::sync::Mutex::new(()),
            refresh: std::sync::Mutex::new(None),
        };
        Ok(Client {
            inner: Arc::new(inner),
        })
    }
}

fn nothing_given(what: &str) -> Error {
    let message = format!("no {what} given; name an identity folder");
    Error::new(Reason::InvalidArgument, message)
}

/// A data directory of `ward up` keeps the operator's identity in a folder of its own, and so does
/// that of a cluster's first node; any node has its own in `tls`.
fn identity_folder(dir: &Path) -> PathBuf {
    if dir.join("key.pem").exists() {
        return dir.to_owned();
    }
    let mut inside = ["operator", "tls"]
        .map(|folder| dir.join(folder))
        .into_iter();
    inside
        .find(|folder| folder.join("key.pem").exists())
        .unwrap_or_else(|| dir.to_owned())
}
