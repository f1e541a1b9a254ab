//! Puts a node together: opens what is on disk and connects the parts; nothing is served yet.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use kms_client::identity::{Identity, IdentityDir};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::api::audit::Readers;
use crate::api::carry::Writes;
use crate::audit::{Audit, AuditConfig, BoundKey, LogName};
use crate::config::Config;
use crate::containment::Waits;
use crate::limits::{
    IDENTITY_REQUESTS_PER_SECOND, REQUESTS_IN_FLIGHT_MAX, USE_STREAMS_MAX,
    USE_STREAMS_PER_IDENTITY_MAX, WATCHES_MAX, WATCHES_PER_IDENTITY_MAX,
};
use crate::node::NodeError;
use crate::node::context::Node;
use crate::node::identity_file::IdentityFile;
use crate::node::known_peers::ReplicaPeers;
use crate::node::layout::Layout;
use crate::node::listeners::Listeners;
use crate::node::peers::Peers;
use crate::node::servers::rate;
use crate::policy;
use crate::quota::Quotas;
use crate::raft::Member;
use crate::replica::{OpenError, Replica, ReplicaConfig};
use crate::shares::Shares;
use crate::stack::rate::IdentityRate;
use crate::state::{FORMAT_VERSION, Index, NodeId};
use crate::tls::configs::TlsConfigs;
use crate::tls::peer_connector::NodeConnector;
use crate::tls::peer_verifier::KnownPeers;
use crate::vault::Vault;

/// A node whose parts are connected.
pub(super) struct Assembled {
    /// What handlers work with.
    pub(super) node: Arc<Node>,
    /// What the listeners present and demand.
    pub(super) configs: Arc<TlsConfigs>,
    /// What is known of peers' keys.
    pub(super) known: Arc<dyn KnownPeers>,
}

/// Opens the identity, the audit log and the replica of `layout`.
pub(super) async fn assemble(
    config: &Config,
    layout: &Layout,
    file: &IdentityFile,
    listeners: &Listeners,
) -> Result<Assembled, NodeError> {
    let identity = IdentityDir::new(layout.tls()).load()?;
    let member = Member {
        addresses: listeners.advertised(config),
        public_key: public_key_of(&identity)?,
    };
    let addresses = member.addresses.clone();
    let identity = Arc::new(ArcSwap::from_pointee(identity));
    let connector = NodeConnector::new(Arc::clone(&identity));
    let name = LogName {
        cluster_id: file.cluster_id,
        node: file.node_id.0,
    };
    let audit = Audit::open(&AuditConfig {
        dir: layout.audit(),
        key: layout.audit_key(),
        name,
    })?;
    let audit_key = BoundKey::make(&name, *audit.public_key(), &identity.load())?;
    let replica = Replica::open(ReplicaConfig {
        node_id: file.node_id,
        dir: layout.root().to_owned(),
        member,
        hints: hints(config),
        connector: connector.clone(),
        initialised: file.initialised,
        // A member that was one before has a root to open; a new one has none yet.
        sealed: file.initialised,
        format_known: FORMAT_VERSION,
        steady_time: config.steady_time,
        snapshot_entries: config.snapshot_entries,
        mark_initialised: marker(layout.root().to_owned(), file.clone()),
    })
    .await?;
    replica.read(check_format)?;
    let known: Arc<dyn KnownPeers> = Arc::new(ReplicaPeers(replica.clone()));
    let configs = Arc::new(TlsConfigs::new(&identity.load(), Arc::clone(&known))?);
    let node = Arc::new(Node {
        id: file.node_id,
        cluster_id: file.cluster_id,
        identity,
        addresses,
        replica,
        vault: Vault::sealed(),
        policies: policy::Engine::built_in().map_err(NodeError::Policy)?,
        quotas: Quotas::default(),
        audit,
        audit_key,
        audit_readers: Readers::default(),
        peers: Peers::new(connector),
        writes: Writes::new(),
        waits: Waits::new(config.lease),
        watches: Shares::new(WATCHES_MAX, WATCHES_PER_IDENTITY_MAX),
        use_streams: Shares::new(USE_STREAMS_MAX, USE_STREAMS_PER_IDENTITY_MAX),
        rate: IdentityRate::new(rate(IDENTITY_REQUESTS_PER_SECOND)),
        places: Arc::new(Semaphore::new(REQUESTS_IN_FLIGHT_MAX)),
        stopping: CancellationToken::new(),
        draining: CancellationToken::new(),
    });
    Ok(Assembled {
        node,
        configs,
        known,
    })
}

/// A program that does not know what the state holds does not touch it.
fn check_format(index: &Index) -> Result<(), OpenError> {
    match index.cluster() {
        Some(cluster) if cluster.format_version > FORMAT_VERSION => Err(OpenError::Newer {
            path: "the cluster's state".to_owned(),
            found: cluster.format_version,
            known: FORMAT_VERSION,
        }),
        Some(_) | None => Ok(()),
    }
}

fn hints(config: &Config) -> std::collections::BTreeMap<NodeId, String> {
    let hint = |peer: &crate::config::PeerHint| (NodeId(peer.node_id), peer.address.to_string());
    config.peers.iter().map(hint).collect()
}

/// Says in the identity file that the log holds something; the replica calls it before it first
/// acknowledges anything.
fn marker(root: PathBuf, file: IdentityFile) -> Arc<dyn Fn() -> std::io::Result<()> + Send + Sync> {
    Arc::new(move || {
        let marked = IdentityFile {
            initialised: true,
            ..file.clone()
        };
        // The kind stays: while the disk is full, the log tries again.
        marked.store(&root).map_err(|error| {
            let kind = error.io_kind().unwrap_or(std::io::ErrorKind::Other);
            std::io::Error::new(kind, error)
        })
    })
}

/// The SubjectPublicKeyInfo of the node's own certificate.
fn public_key_of(identity: &Identity) -> Result<Vec<u8>, NodeError> {
    use x509_parser::prelude::FromDer;
    let parsed = x509_parser::certificate::X509Certificate::from_der(identity.certificate());
    let (_, certificate) = parsed.map_err(|_| {
        let message = "the node's own certificate is malformed; restore it, or join anew";
        kms_client::Error::new(kms_client::reason::Reason::Storage, message)
    })?;
    Ok(certificate.public_key().raw.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::genesis;
    use crate::command::{Command, Genesis, Proposal, apply};

    #[test]
    fn a_state_of_a_newer_version_is_left_alone() {
        for (format_version, good) in [(FORMAT_VERSION, true), (FORMAT_VERSION + 1, false)] {
            let begin = Command::Genesis(Box::new(Genesis {
                format_version,
                ..genesis()
            }));
            let mut index = Index::default();
            for (id, record) in apply(&index, 1, &Proposal::internal(1, begin))
                .writes
                .into_vec()
            {
                index.put(id, record);
            }
            // What the founder said, whatever this program's own version is.
            assert_eq!(index.cluster().unwrap().format_version, format_version);
            assert_eq!(check_format(&index).is_ok(), good);
        }
    }
}
