//! The one list of what the state holds: every record and the id it is found by.
//!
//! The memory index is a map from [`RecordId`] to [`Record`]; sled and snapshots hold the same
//! pairs. New variants go to the end: their numbers are stored.

use envelope::id::KeyId;
use serde::{Deserialize, Serialize};

use super::{
    AliasRecord, ApprovalId, ApprovalRecord, ArchiveReport, AuditTrail, ClusterRecord,
    ContainmentRecord, Counters, DeviceRecord, FormerGateway, GatewayRecord, IdempotencyRecord,
    IdentityRecord, ImportId, ImportRecord, KeyCensus, KeyRecord, KeyRotation, KeyTraits, Labels,
    NodeId, NodeRecord, Operators, PolicyRecord, QuotaRecord, RewrapProgress, RewrapRecord, Role,
    TokenRecord, VersionRecord,
};

/// Where a record is found. The order of the variants is the order of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RecordId {
    /// The counters.
    Counters,
    /// The cluster.
    Cluster,
    /// A key.
    Key(#[serde(with = "super::wire::id16")] KeyId),
    /// One version of a key.
    KeyVersion(#[serde(with = "super::wire::id16")] KeyId, u32),
    /// A key's id by its name.
    KeyName(String),
    /// A device.
    Device(String),
    /// An identity.
    Identity(Role, String),
    /// A node.
    Node(NodeId),
    /// A join token, by the first 16 bytes of SHA-256 of its secret.
    Token([u8; 16]),
    /// A gateway.
    Gateway(String),
    /// A policy.
    Policy(String),
    /// An answer kept for repetitions, by SHA-256 of caller and idempotency key.
    Idempotency([u8; 32]),
    /// When such an answer may be forgotten.
    IdempotencyExpiry(u64, [u8; 32]),
    /// How far a device is contained.
    Containment(String),
    /// What a gateway has acknowledged of a device's containment: device, gateway.
    Acknowledgement(String, String),
    /// A gateway that is honoured no longer and may still forward.
    FormerGateway(String),
    /// What is known of a node's audit log.
    AuditTrail(NodeId),
    /// What a key has beside its record; none of one that has nothing special.
    KeyTraits(#[serde(with = "super::wire::id16")] KeyId),
    /// The public key of a version that signs.
    PublicKey(#[serde(with = "super::wire::id16")] KeyId, u32),
    /// The labels of a key; none of one that has none.
    KeyLabels(#[serde(with = "super::wire::id16")] KeyId),
    /// An alias, by its whole name.
    Alias(String),
    /// That a key has this alias.
    KeyAlias(#[serde(with = "super::wire::id16")] KeyId, String),
    /// How often a key is rotated; none of one that has no period.
    KeyRotation(#[serde(with = "super::wire::id16")] KeyId),
    /// When such a key is to be rotated next; none while it is disabled.
    RotationDue(u64, #[serde(with = "super::wire::id16")] KeyId),
    /// An import under way.
    Import(ImportId),
    /// When such an import is over.
    ImportExpiry(u64, ImportId),
    /// That a key was imported.
    KeyOrigin(#[serde(with = "super::wire::id16")] KeyId),
    /// That material of this fingerprint was imported.
    ImportedMaterial([u8; 32]),
    /// The quota of an identity; with an empty id, of a role.
    Quota(Role, String),
    /// A request that waits for a second operator, or was approved.
    Approval(ApprovalId),
    /// When such a request is over.
    ApprovalExpiry(u64, ApprovalId),
    /// Who made a join token for an operator, by the token's id.
    TokenMakers([u8; 16]),
    /// Who invited an identity.
    Inviters(Role, String),
    /// When a policy ends by itself; none of one that does not.
    PolicyEnd(String),
    /// The same, by the time.
    PolicyEnding(u64, String),
    /// That there was a policy of this name.
    DeletedPolicy(String),
    /// The last job of a key that rewraps.
    Rewrap(#[serde(with = "super::wire::id16")] KeyId),
    /// That such a job runs.
    RunningRewrap(#[serde(with = "super::wire::id16")] KeyId),
    /// How far a gateway is with it: key, gateway.
    RewrapProgress(#[serde(with = "super::wire::id16")] KeyId, String),
    /// How well the archive of a gateway is known.
    ArchiveReport(String),
    /// What the archive of a gateway holds under a key: key, gateway.
    KeyCensus(#[serde(with = "super::wire::id16")] KeyId, String),
}

/// What is found there. What is large and not one of millions is boxed: each record has the size of
/// the largest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// The counters.
    Counters(Counters),
    /// The cluster.
    Cluster(Box<ClusterRecord>),
    /// A key.
    Key(KeyRecord),
    /// One version of a key.
    KeyVersion(VersionRecord),
    /// A key's id by its name.
    KeyName(#[serde(with = "super::wire::id16")] KeyId),
    /// A device.
    Device(Box<DeviceRecord>),
    /// An identity.
    Identity(IdentityRecord),
    /// A node.
    Node(Box<NodeRecord>),
    /// A join token.
    Token(Box<TokenRecord>),
    /// A gateway.
    Gateway(GatewayRecord),
    /// A policy.
    Policy(PolicyRecord),
    /// An answer kept for repetitions.
    Idempotency(IdempotencyRecord),
    /// Nothing but its id.
    IdempotencyExpiry,
    /// How far a device is contained.
    Containment(Box<ContainmentRecord>),
    /// The newest epoch that a gateway has acknowledged.
    Acknowledgement(u64),
    /// A gateway that is honoured no longer and may still forward.
    FormerGateway(FormerGateway),
    /// What is known of a node's audit log.
    AuditTrail(AuditTrail),
    /// What a key has beside its record.
    KeyTraits(KeyTraits),
    /// A SubjectPublicKeyInfo in DER.
    PublicKey(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The labels of a key.
    KeyLabels(Labels),
    /// An alias.
    Alias(AliasRecord),
    /// Nothing but its id.
    KeyAlias,
    /// How often a key is rotated.
    KeyRotation(KeyRotation),
    /// Nothing but its id.
    RotationDue,
    /// An import under way.
    Import(Box<ImportRecord>),
    /// Nothing but its id.
    ImportExpiry,
    /// Nothing but its id: there is one other origin, and no record of it.
    KeyOrigin,
    /// Which key it became.
    ImportedMaterial(#[serde(with = "super::wire::id16")] KeyId),
    /// The quota of an identity or a role.
    Quota(QuotaRecord),
    /// A request that waits for a second operator, or was approved.
    Approval(Box<ApprovalRecord>),
    /// Nothing but its id.
    ApprovalExpiry,
    /// Operators.
    TokenMakers(Operators),
    /// Operators.
    Inviters(Operators),
    /// By the state's clock.
    PolicyEnd(u64),
    /// Nothing but its id.
    PolicyEnding,
    /// The last revision.
    DeletedPolicy(u64),
    /// The last job of a key that rewraps.
    Rewrap(Box<RewrapRecord>),
    /// Nothing but its id.
    RunningRewrap,
    /// How far a gateway is with it.
    RewrapProgress(Box<RewrapProgress>),
    /// How well the archive of a gateway is known.
    ArchiveReport(Box<ArchiveReport>),
    /// What the archive of a gateway holds under a key.
    KeyCensus(Box<KeyCensus>),
}
