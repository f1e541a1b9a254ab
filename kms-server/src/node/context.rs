//! What every handler of this node works with: the replica, the vault, policies, audit, peers.
//!
//! Assembled by `run`; shared by all listeners for the node's whole life.

use std::sync::Arc;

use arc_swap::ArcSwap;
use envelope::id::ClusterId;
use kms_client::identity::Identity;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::api::audit::Readers;
use crate::api::carry::Writes;
use crate::audit::{Audit, BoundKey};
use crate::containment::{Pending, Waits};
use crate::node::peers::Peers;
use crate::policy;
use crate::quota::Quotas;
use crate::raft::peer::Fitness;
use crate::replica::{Replica, ReplicaRole};
use crate::shares::Shares;
use crate::stack::admission::{Leader, Standing};
use crate::stack::rate::IdentityRate;
use crate::state::{Addresses, FormerGateway, Index, NodeId};
use crate::vault::Vault;

/// This node.
pub(crate) struct Node {
    /// Its id.
    pub(crate) id: NodeId,
    /// Its cluster.
    pub(crate) cluster_id: ClusterId,
    /// Its own certificate, renewed while it runs.
    pub(crate) identity: Arc<ArcSwap<Identity>>,
    /// Where others reach it.
    pub(crate) addresses: Addresses,
    /// The replicated state and the way to change it.
    pub(crate) replica: Replica,
    /// Key material in use.
    pub(crate) vault: Vault,
    /// Decides who may do what.
    pub(crate) policies: policy::Engine,
    /// What identities with a quota have used lately at this node.
    pub(crate) quotas: Quotas,
    /// Where each call leaves its record.
    pub(crate) audit: Audit,
    /// The key that its checkpoints are signed with, and why it is this node's.
    pub(crate) audit_key: BoundKey,
    /// Who was recorded lately as reading the audit log.
    pub(crate) audit_readers: Readers,
    /// The way to other nodes.
    pub(crate) peers: Peers,
    /// The writes under way.
    pub(crate) writes: Writes,
    /// Since when this node waits for which containment.
    pub(crate) waits: Waits,
    /// Places for watch streams, by the SPIFFE URI of who watches.
    pub(crate) watches: Shares<String>,
    /// Places for streams of uses, by the SPIFFE URI of who asks on them.
    pub(crate) use_streams: Shares<String>,
    /// How often identities may ask, by request and on streams.
    pub(crate) rate: IdentityRate,
    /// Places for what is worked on at once.
    pub(crate) places: Arc<Semaphore>,
    /// Cancelled when the node begins to stop, while it still serves: what is to be done before it
    /// hands leadership over, is done then.
    pub(crate) stopping: CancellationToken,
    /// Cancelled when the node drains: streams that would never end, end then.
    pub(crate) draining: CancellationToken,
}

impl Node {
    /// Whether this node leads just now.
    pub(crate) fn leads(&self) -> bool {
        self.replica.status().role == ReplicaRole::Leader
    }
}

impl Node {
    /// Who is waited for before the order that stands for a device is complete. `term` was read
    /// before the state was.
    pub(crate) fn pending(&self, index: &Index, term: u64, device_id: &str) -> Vec<Pending> {
        let now = sys::clock::monotonic();
        self.waits.pending(index, term, device_id, now)
    }

    /// Former gateways that can forward for no device any more.
    pub(crate) fn gateways_gone(&self) -> Vec<FormerGateway> {
        let term = self.replica.term();
        self.replica.read(|index| {
            let now = sys::clock::monotonic();
            self.waits.gone(index, term, now)
        })
    }
}

impl Node {
    /// How well this node can do what a leader must: open the state, record what it does, write the
    /// log, and date certificates.
    pub(crate) fn fitness(&self) -> Fitness {
        if self.vault.is_sealed() || self.replica.is_retired() {
            return Fitness::Unable;
        }
        let able = self.audit.is_available() && self.replica.has_room();
        match (able, self.is_behind_the_times()) {
            (false, _) => Fitness::Unfit,
            (true, true) => Fitness::ClockBehind,
            (true, false) => Fitness::Fit,
        }
    }

    /// Whether this node's clock stands well before a moment that the cluster has recorded: the
    /// certificates it dates would be over for everybody else.
    pub(crate) fn is_behind_the_times(&self) -> bool {
        let recorded_ms = self.replica.read(|index| index.counters().time_ms);
        sys::clock::wall_ms().saturating_add(CLOCK_BEHIND_MAX_MS) < recorded_ms
    }
}

impl Standing for Node {
    fn sealed(&self) -> bool {
        self.vault.is_sealed()
    }

    fn leader(&self) -> Leader {
        if self.leads() {
            return Leader::Here;
        }
        match self.replica.leader() {
            Some((id, member)) if id != self.id => Leader::Elsewhere(member.addresses.api),
            // It leads no longer, or not yet: whoever follows is not known.
            Some(_) | None => Leader::Unknown,
        }
    }
}

/// How far a leader's clock may be behind what the cluster has recorded: certificates of a day are
/// still of use then. A clock that lost its battery is decades behind.
const CLOCK_BEHIND_MAX_MS: u64 = 6 * 60 * 60 * 1_000;
