//! The applied state: records, the memory index that reads are served from, and its store on disk.

mod alias;
mod applied;
mod approval;
mod audit;
mod cell;
mod cluster;
mod containment;
mod device;
mod gateway;
mod id;
mod idempotency;
mod identity;
mod import;
mod index;
mod index_names;
mod index_quotas;
mod index_rewraps;
mod key;
mod key_traits;
mod pin;
mod policy;
mod quota;
mod record;
mod rewrap;
mod rotation;
mod sealed;
mod store;
pub(crate) mod wire;

pub use alias::{AliasRecord, Labels};
pub(crate) use applied::Applied;
pub use approval::{APPROVAL_LIFE_MS, ApprovalId, ApprovalRecord, Approver, Operators};
pub use audit::{Anchor, AuditKey, AuditTrail};
pub(crate) use cell::StateCell;
pub use cluster::{ClusterRecord, Counters, SealWrap};
pub use containment::{
    ALLOWANCE_DEFAULT_S, ALLOWANCE_MAX_S, ContainLevel, ContainmentRecord, FormerGateway,
};
pub use device::{DeviceRecord, DeviceState};
pub use gateway::GatewayRecord;
pub use id::{Addresses, GatewayRole, NodeId, Role};
pub use idempotency::{IdempotencyRecord, KEPT_MS as IDEMPOTENCY_KEPT_MS};
pub use identity::{
    Consumption, IdentityKey, IdentityRecord, IdentityState, NodeRecord, SpkiHash, TokenRecord,
};
pub use import::{IMPORT_LIFE_MAX_MS, ImportId, ImportRecord};
pub use index::Index;
pub use key::{KeyRecord, KeyState, VersionRecord};
pub use key_traits::{KeyTraits, KeyType, KeyUsage};
pub(crate) use pin::Pin;
pub use policy::{POLICY_LIFE_MAX_MS, PolicyRecord};
pub use quota::{QuotaClass, QuotaLimit, QuotaRecord};
pub use record::{Record, RecordId};
pub use rewrap::{
    ArchiveReport, CensusRange, KeyCensus, REWRAP_RATE_DEFAULT, REWRAP_RATE_MAX, RewrapProgress,
    RewrapRecord, RewrapState,
};
pub use rotation::{EARLY_DIVISOR, KeyRotation, PERIOD_MAX_S, PERIOD_MIN_S};
pub use sealed::Sealed;
pub(crate) use store::Store;
#[cfg(test)]
pub(crate) use store::wait_until_free;

/// The newest version of everything stored that this program knows: records, log entries,
/// snapshots.
pub const FORMAT_VERSION: u32 = NEWEST + REHEARSED;

const NEWEST: u32 = 4;

/// The version that every program knows.
pub const FORMAT_FIRST: u32 = 1;

/// A build that rehearses an upgrade knows one version more (`ward/tests/processes/upgrade.rs`).
const REHEARSED: u32 = if cfg!(feature = "rehearse-upgrade") {
    1
} else {
    0
};
