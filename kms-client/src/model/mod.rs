//! What the verbs take and answer. Plain types: none of them is tied to the wire.

mod answer;
mod approval;
mod approval_fields;
mod archive_report;
mod audit;
mod cluster;
mod containment;
mod data_key;
mod decision;
mod device;
mod identity;
mod import;
mod key;
mod policy;
mod quota;
mod rewrap;
mod signature;
mod watch;

pub use answer::Used;
pub use approval::{Approval, ApprovalId, ApprovalRequest};
pub use archive_report::{
    ArchiveReport, CensusRange, RewrapItem, Rewrapped, RunningRewrap, ToldRewrap,
};
pub use audit::AuditFile;
pub use cluster::{
    Ailment, ClusterHealth, ClusterStatus, GatewayRole, GatewayStatus, NodeRole, NodeStatus,
    Transfer,
};
pub use containment::{
    ContainLevel, ContainOrder, Containment, ContainmentReport, DeviceChange, Lease, PendingGateway,
};
pub use data_key::{
    CacheLimits, DataKey, DataKeyKind, DataKeys, UnwrappedDataKey, WrappedDataKey, WrappedDataKeys,
};
pub use decision::{Decision, Question, Resource, Ruling};
pub use device::{Device, DeviceState, Inventory, NewDevice};
pub use identity::{CreatedJoinToken, IssuedCertificate};
pub use import::ImportParameters;
pub use key::{
    Alias, Decrypted, Encrypted, Key, KeyRotation, KeySelector, KeyState, KeyType, KeyVersionInfo,
    Labels, NewKey,
};
pub use policy::Policy;
pub use quota::{Quota, QuotaClass, QuotaLimit, Quotas};
pub use rewrap::{
    Census, GatewayRewrap, KeyCensus, KnownArchive, Rewrap, RewrapState, VersionCensus,
};
pub use signature::{Mac, PublicKey, Signature};
pub use watch::{KeyChange, WatchEvent, WatchEventKind};

pub(crate) use archive_report::{
    item_to_wire, report_to_wire, rewrapped_from_wire, running_from_wire,
};
pub(crate) use cluster::status_from_wire;
pub(crate) use containment::{level_to_wire, report_from_wire};
pub(crate) use data_key::{data_key_from_wire, limits_from_wire, wrapped_from_wire};
pub(crate) use device::{device_from_wire, inventory_to_wire};
pub(crate) use key::{
    alias_from_wire, key_from_wire, labels_to_wire, selector_to_wire, type_from_wire, type_to_wire,
};
pub(crate) use rewrap::{archive_from_wire, key_census_from_wire, rewrap_from_wire};
pub(crate) use watch::event_from_wire;

use bytes::Bytes;
use envelope::context::{EncryptionContext, reserved};
use envelope::id::Id;
use envelope::secret::SecretKey;
use ward_proto::v1;

use crate::error::Error;
use crate::reason::Reason;

/// The error for an answer that no node of this version would give.
pub(crate) fn malformed_answer(what: &str) -> Error {
    let message =
        format!("the node's answer has a malformed {what}; are all nodes of one version?");
    Error::new(Reason::Internal, message)
}

pub(crate) fn id_from_wire<K>(what: &str, bytes: &[u8]) -> Result<Id<K>, Error> {
    Id::try_from(bytes).map_err(|_| malformed_answer(what))
}

pub(crate) fn secret_from_wire(bytes: &Bytes) -> Result<SecretKey, Error> {
    SecretKey::from_slice(bytes).map_err(|_| malformed_answer("data key"))
}

pub(crate) fn context_to_wire(context: &EncryptionContext) -> Vec<v1::ContextPair> {
    let pair = |(key, value): (&str, &str)| v1::ContextPair {
        key: key.into(),
        value: value.into(),
    };
    context.iter().map(pair).collect()
}

pub(crate) fn context_from_wire(pairs: Vec<v1::ContextPair>) -> Result<EncryptionContext, Error> {
    let mut context = EncryptionContext::new();
    for v1::ContextPair { key, value } in pairs {
        let inserted = if key.starts_with(reserved::PREFIX) {
            context.insert_reserved(key, value)
        } else {
            context.insert(key, value)
        };
        inserted.map_err(|_| malformed_answer("encryption context"))?;
    }
    Ok(context)
}
