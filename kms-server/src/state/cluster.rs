//! The cluster itself: who it is, how its root is wrapped, its counters.

use envelope::id::ClusterId;
use serde::{Deserialize, Serialize};

use super::Sealed;

/// One wrap of the cluster's root key by one seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealWrap {
    /// Which seal, `file` for instance.
    pub seal: String,
    /// The sealed record (docs/format.md), purpose root wrap. It needs no revision here: a former
    /// root does not open the key ring.
    #[serde(with = "serde_bytes")]
    pub record: Vec<u8>,
}

/// What Genesis wrote: there is exactly one in a cluster that has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// Bound into every sealed record.
    #[serde(with = "super::wire::id16")]
    pub cluster_id: ClusterId,
    /// Of every SPIFFE URI.
    pub trust_domain: String,
    /// Of everything stored here; a node refuses to apply a newer one than it knows.
    pub format_version: u32,
    /// Every wrap holds the same root.
    pub seal_wraps: Vec<SealWrap>,
    /// The term keys: a sealed record of purpose key ring.
    pub key_ring: Sealed,
    /// The authority's private key: a sealed record of purpose CA key.
    pub ca_key: Sealed,
    /// The authority's certificates, DER, newest first.
    pub ca_certificates: Vec<Vec<u8>>,
    /// By the state's clock.
    pub created_ms: u64,
}

/// What moves with the log; written by every applied command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// The state's clock: the greatest proposal time so far, milliseconds since 1970-01-01 UTC.
    pub time_ms: u64,
    /// Moves with every change of a policy.
    pub policy_epoch: u64,
    /// Moves whenever an identity loses something; gains do not move it. It tells that something
    /// was lost; a write is guarded by its own caller's record.
    pub identity_epoch: u64,
    /// The next node id to give; ids are never given twice.
    pub next_node_id: u64,
}
