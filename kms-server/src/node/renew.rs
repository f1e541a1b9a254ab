//! Renews the node's own certificate before half of its life is over.
//!
//! Nodes know each other by their keys, so an expired one is renewed like any other; clients and
//! gateways do look at the date, and come back as soon as it is right.

use std::sync::Arc;
use std::time::Duration;

use kms_client::identity::IdentityDir;
use rustls_pki_types::CertificateDer;

use crate::api::call::Call;
use crate::api::caller::Caller;
use crate::api::failure::Failure;
use crate::api::identities::issue::{Wanted, renew};
use crate::node::NodeError;
use crate::node::context::Node;
use crate::state::Role;
use crate::tls::configs::TlsConfigs;

/// Looks once a second, until the node drains: after a year without power the clients wait for it,
/// and so they do after a clock was set right.
pub(super) async fn keep_renewed(node: &Arc<Node>, directory: &IdentityDir, configs: &TlsConfigs) {
    let (mut pause, mut retry) = (INTERVAL, INTERVAL);
    loop {
        tokio::select! {
            () = node.draining.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = INTERVAL;
        // Without a leader there is nobody to ask, and nothing to say.
        if !is_due(node) || node.replica.leader().is_none() {
            continue;
        }
        let renewed = renew_own(node, directory, configs).await;
        match &renewed {
            Ok(()) => tracing::info!("the node's certificate was renewed"),
            Err(error) => tracing::warn!(%error, "the node's certificate was not renewed yet"),
        }
        if renewed.is_ok() && !is_due(node) {
            retry = INTERVAL;
        } else {
            // Each try leaves an audit record: less and less often. Where the leader's clock is
            // behind this one's, what it issues is due again at once.
            (pause, retry) = (retry, (retry * 2).min(RETRY_MAX));
        }
    }
}

fn is_due(node: &Node) -> bool {
    let identity = node.identity.load();
    identity.facts().is_due_for_renewal(sys::clock::wall_ms())
}

async fn renew_own(
    node: &Arc<Node>,
    directory: &IdentityDir,
    configs: &TlsConfigs,
) -> Result<(), NodeError> {
    let facts = node.identity.load().facts().clone();
    let caller = Caller {
        expired: facts.is_expired(sys::clock::wall_ms()),
        id: facts.id,
        role: Role::Node,
        spki_sha256: facts.spki_sha256,
    };
    // The key stays: peers know this node by it.
    let csr_der = off_runtime(directory, IdentityDir::create_csr).await?;
    let wanted = Wanted {
        csr_der,
        device_id: String::new(),
    };
    let call = Call::on_behalf(node, caller, None);
    let (certificate, _) = renew(&call, wanted).await.map_err(refused)?;
    let der = CertificateDer::from(certificate.der);
    let ca: Vec<_> = certificate
        .ca_der
        .into_iter()
        .map(CertificateDer::from)
        .collect();
    let made = move |directory: &IdentityDir| directory.identity_with(&der, &ca);
    let identity = Arc::new(off_runtime(directory, made).await?);
    configs.replace(&identity)?;
    // Used before it is stored: a full disk must not cost a good certificate.
    node.identity.store(Arc::clone(&identity));
    off_runtime(directory, move |directory| directory.store(&identity)).await
}

/// Reads or writes the identity's files, not on the runtime.
async fn off_runtime<T: Send + 'static>(
    directory: &IdentityDir,
    work: impl FnOnce(&IdentityDir) -> Result<T, kms_client::Error> + Send + 'static,
) -> Result<T, NodeError> {
    let directory = directory.clone();
    let done = tokio::task::spawn_blocking(move || work(&directory)).await;
    let done = done.map_err(|_| {
        let message = "a task of this node ended early; see its log";
        kms_client::Error::new(kms_client::reason::Reason::Internal, message)
    })?;
    Ok(done?)
}

fn refused(failure: Failure) -> NodeError {
    kms_client::Error::new(failure.reason, failure.message).into()
}

const INTERVAL: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
