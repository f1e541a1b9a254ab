//! Keeps the list of nodes right: from the folder after a failed round, from the cluster now and
//! then. Called by the call loop and after each status.

use std::sync::{Arc, PoisonError};

use rustls_pki_types::CertificateDer;
use sys::task::AbortOnDrop;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use ward_proto::v1;
use ward_proto::v1::cluster_service_client::ClusterServiceClient;

use super::Inner;
use super::nodes::{Nodes, Route};
use crate::identity::{Endpoint, Identity, IdentityDir};
use crate::limits::{ATTEMPT_MAX, ENDPOINTS_MAX};
use crate::model::{ClusterStatus, status_from_wire};

impl Inner {
    /// Reads the folder again, which another process may have written: new addresses, a renewed
    /// certificate. Answers whether anything differs.
    pub(super) async fn reload(&self) -> bool {
        let Some(dir) = self.dir.clone() else {
            return false;
        };
        let read = move || (dir.load_endpoints(), dir.load());
        let Ok((endpoints, identity)) = spawn_blocking(read).await else {
            return false;
        };
        // A folder that is being rewritten is read again after the next round.
        let moved = endpoints.is_ok_and(|found| self.take_from_folder(found));
        let renewed = identity.is_ok_and(|found| self.take_identity_from_folder(found));
        moved || renewed
    }

    /// Takes the folder's identity if it was written since it was last read: one that could not be
    /// stored is newer than the file.
    fn take_identity_from_folder(&self, found: Identity) -> bool {
        let read = self.folder_certificate.lock();
        let mut read = read.unwrap_or_else(PoisonError::into_inner);
        let is_new = |read: &&mut CertificateDer<'_>| **read != *found.certificate();
        let Some(read) = read.as_mut().filter(is_new) else {
            return false;
        };
        *read = found.certificate().clone();
        self.nodes.replace_identity(Arc::new(found))
    }

    /// Takes the folder's list if it was written since it was last read: an old file knows less
    /// than what the cluster told since, and nothing against what the caller gave.
    fn take_from_folder(&self, found: Vec<Endpoint>) -> bool {
        let mut read = self
            .folder_endpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let Some(read) = read.as_mut().filter(|read| **read != found) else {
            return false;
        };
        read.clone_from(&found);
        self.nodes.replace_endpoints(found)
    }

    /// Starts a refresh in the background when the list is old or proved wrong.
    pub(super) fn refresh_when_due(&self) {
        if !self.nodes.take_refresh_due() {
            return;
        }
        let refresh = refresh(Arc::clone(&self.nodes), self.dir.clone());
        let task = AbortOnDrop(sys::task::spawn("refresh-endpoints", refresh));
        *self.refresh.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    }

    /// Takes the nodes' addresses out of a status.
    pub(super) async fn learn(&self, status: &ClusterStatus) {
        learn(&self.nodes, self.dir.clone(), status).await;
    }
}

async fn refresh(nodes: Arc<Nodes>, dir: Option<IdentityDir>) {
    for target in nodes.targets(Route::AnyNode) {
        let Ok(node) = nodes.channel(&target) else {
            continue;
        };
        let mut client = ClusterServiceClient::new(node.channel);
        let answer = timeout(
            ATTEMPT_MAX,
            client.get_cluster_status(v1::GetClusterStatusRequest {}),
        );
        if let Ok(Ok(answer)) = answer.await
            && let Ok(status) = status_from_wire(answer.into_inner())
        {
            return learn(&nodes, dir, &status).await;
        }
    }
}

async fn learn(nodes: &Nodes, dir: Option<IdentityDir>, status: &ClusterStatus) {
    let known = nodes.endpoints();
    let found = merge(&known, status);
    if found.is_empty() || !nodes.replace_endpoints(found.clone()) {
        return;
    }
    let Some(dir) = dir else {
        return;
    };
    let stored = spawn_blocking(move || dir.store_endpoints(&found)).await;
    if let Ok(Err(error)) = stored {
        // A folder may be read-only; the list in memory is right all the same.
        tracing::debug!(reason = %error.reason(), "endpoints.toml is not written: {error}");
    }
}

/// Takes every member's addresses from the status; what it does not tell stays as it was.
fn merge(known: &[Endpoint], status: &ClusterStatus) -> Vec<Endpoint> {
    let mut endpoints: Vec<Endpoint> = Vec::with_capacity(status.nodes.len());
    for node in status.nodes.iter().take(ENDPOINTS_MAX) {
        let before = known.iter().find(|endpoint| endpoint.node_id == node.id);
        let api = match (node.api_address.as_str(), before) {
            ("", Some(before)) => before.api.clone(),
            ("", None) => continue,
            (address, _) => address.to_owned(),
        };
        let join = match node.join_address.as_str() {
            "" => before.and_then(|endpoint| endpoint.join.clone()),
            address => Some(address.to_owned()),
        };
        endpoints.push(Endpoint {
            node_id: node.id,
            api,
            join,
        });
    }
    endpoints.sort_by_key(|endpoint| endpoint.node_id);
    endpoints
}
