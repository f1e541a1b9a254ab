//! Attacks on a node that other systems did not survive, each after a public advisory: what is
//! sent, and what may come of it (docs/advisories.md has the list).
//!
//! All of them are aimed at one [`Victim`], a real process with the product's own limits:
//! afterwards it lives, serves its operator, and has not grown.

pub mod bombs;
pub mod descriptors;
pub mod fragments;
pub mod frames;
pub mod http2;
pub mod joins;
pub mod paths;

use std::path::Path;
use std::time::Duration;

use kms_client::Client;
use kms_client::identity::{Identity, IdentityDir, Role, spki_sha256};
use kms_client::tls::{ALPN_H2, ExpectedPeer, client_config, join_client_config};
use rustls::ClientConfig;
use tokio::runtime::Handle;

use crate::bench::usage::resident_bytes;
use crate::cluster::{Cluster, Equipment, Plan};
use crate::wait;

/// A cluster of one node that is attacked.
pub struct Victim {
    /// The cluster.
    pub cluster: Cluster,
    client: Client,
}

impl Victim {
    /// Starts one in an empty folder.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(runtime: &Handle, ward: &Path, root: &Path) -> Self {
        let plan = Plan {
            ward: ward.to_owned(),
            root: root.to_owned(),
            nodes: 1,
            equipment: Equipment::default(),
        };
        let cluster = Cluster::start(runtime, &plan).expect("no equipment is asked for");
        let client = cluster.client(NODE, PATIENCE);
        Self { cluster, client }
    }

    /// Whether the operator is served now.
    pub async fn serves(&self) -> bool {
        self.client.cluster_status().await.is_ok()
    }

    /// What the node has resident, in bytes.
    ///
    /// # Panics
    /// When it has ended.
    pub fn resident(&self) -> u64 {
        let pid = self.cluster.pid(NODE).expect("it was started");
        resident_bytes(pid).expect("the node has ended")
    }

    /// The operator's identity.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn operator(&self) -> Identity {
        let folder = IdentityDir::new(&self.cluster.tool.operator);
        folder.load().expect("the operator's identity")
    }

    /// TLS as the operator has it.
    ///
    /// # Panics
    /// When its identity cannot be read.
    pub fn as_operator(&self) -> ClientConfig {
        api_config(&self.operator())
    }

    /// TLS as somebody without a certificate has it.
    ///
    /// # Panics
    /// When the operator's folder, which names the authority, cannot be read.
    pub fn as_stranger(&self) -> ClientConfig {
        let authority = spki_sha256(&self.operator().ca()[0]).expect("a certificate");
        join_client_config(authority).expect("a digest")
    }

    /// Asks the node to end, which it must do in order: nothing has broken it.
    pub fn stop(self) {
        self.cluster.stop();
    }
}

/// TLS towards the API with an identity.
///
/// # Panics
/// When it is none.
pub fn api_config(identity: &Identity) -> ClientConfig {
    let nodes = ExpectedPeer::of(identity.id().trust_domain(), &[Role::Node]);
    client_config(identity, nodes, ALPN_H2).expect("an authority")
}

/// The number of the only node.
pub const NODE: usize = 1;

/// More than a node may grow by an attack, in bytes: what advisories call exhaustion is hundreds of
/// megabytes, and what an allocator keeps of a burst is a few.
pub const GROWTH_MAX: u64 = 16 << 20;

const PATIENCE: Duration = wait::DEADLINE;
