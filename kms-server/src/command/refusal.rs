//! Why a command was refused; nothing was changed.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a command was refused. New variants go to the end: their numbers travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum Refusal {
    /// Genesis came a second time.
    #[error("the cluster has begun already")]
    AlreadyBegun,
    /// Anything but genesis came first.
    #[error("the cluster has not begun; run its first node's initialisation")]
    NotBegun,
    /// The id was used before, perhaps by something since removed.
    #[error("this id was used before; choose a new one")]
    IdExists,
    /// Another key has this name.
    #[error("this name is taken; choose another")]
    NameTaken,
    /// The name, id or address has characters or a length that are not allowed.
    #[error("this name is not allowed; see the reference for the characters and length")]
    NameInvalid,
    /// No such key.
    #[error("no such key")]
    KeyNotFound,
    /// The key is disabled.
    #[error("the key is disabled; enable it first")]
    KeyDisabled,
    /// The device exists.
    #[error("a device of this id exists")]
    DeviceExists,
    /// No such device.
    #[error("no such device; list the devices for what there is")]
    DeviceNotFound,
    /// The revision or version this was decided on is no longer the newest.
    #[error("it was changed meanwhile; read it again and repeat")]
    Conflict,
    /// The policies this was authorized under were changed, or the caller is honoured no longer.
    #[error("permissions were changed meanwhile; repeat")]
    StaleGuard,
    /// The idempotency key was used for another request.
    #[error("this idempotency key was used for another request; choose a new one")]
    IdempotencyReused,
    /// Unknown, expired, or consumed by another public key.
    #[error("the join token is unknown, expired or used; ask an operator for a new one")]
    TokenInvalid,
    /// No such identity.
    #[error("no such identity; join it with a token first")]
    IdentityNotFound,
    /// The identity was revoked.
    #[error("the identity was revoked")]
    IdentityRevoked,
    /// A field is larger than its limit.
    #[error("a field is larger than its limit")]
    TooLarge,
    /// A gateway announced itself as the other side than before.
    #[error("a gateway stays the side it first announced; join a new identity for the other")]
    GatewaySideFixed,
    /// The device was revoked.
    #[error("the device was revoked for good; enrol another one in its place")]
    DeviceRevoked,
    /// The allowance of a device whose order is not complete.
    #[error("an order for this device is pending on its allowance; wait until it is complete")]
    ContainmentPending,
    /// An acknowledgement of an order that was never given.
    #[error("no order of this device had this epoch; acknowledge what the watch told")]
    EpochUnknown,
    /// No such gateway.
    #[error("no such gateway; the cluster's status lists those that announced themselves")]
    GatewayNotFound,
    /// A sealed record that is none, or belongs to another cluster, key or kind.
    #[error("a sealed record does not fit where it was to be kept; this is an error of Ward")]
    RecordUnfit,
    /// No such node, or it was removed before.
    #[error("no such node; `ward cluster status` shows the members")]
    NodeNotFound,
    /// The node is the only one.
    #[error("the last node of a cluster cannot be removed; let another one join first")]
    LastNode,
    /// The command came with a newer format than the state has.
    #[error("not every node of the cluster knows this yet; run the newer version on all of them")]
    FormatNewer,
    /// No such version of the key.
    #[error("the key has no such version; describe it for what there is")]
    VersionNotFound,
    /// Minima that no version, or not the primary, would meet.
    #[error(
        "a minimum is at most the primary version, and that to encrypt at least that to decrypt"
    )]
    MinimumInvalid,
    /// Labels beyond their limits.
    #[error("a key has at most 16 labels: 64 of a-z 0-9 - . _ each, with a value of 128 bytes")]
    LabelsInvalid,
    /// No such alias.
    #[error("no such alias; list the aliases for what there is")]
    AliasNotFound,
    /// The key has as many aliases as one may have.
    #[error("a key has at most 16 aliases; delete one of them first")]
    AliasesFull,
    /// A period that is too short or too long.
    #[error("a rotation period has at least one hour and at most ten years")]
    PeriodInvalid,
    /// No such import under way, or not for this key or caller.
    #[error("these import parameters are unknown, used, over or for another key; get new ones")]
    ImportInvalid,
    /// As many imports are under way as may be.
    #[error("64 imports are under way; finish one of them, or wait until one is over")]
    ImportsFull,
    /// The same material was imported before.
    #[error("this material was imported before; one secret is one key")]
    MaterialKnown,
    /// A quota that says nothing, too much, or is for a role that has none.
    #[error(
        "a quota is for an app or operator and has 1 to 8 limits, none twice: an amount of 1 to \
         1 000 000 000 in 1 second to 1 day"
    )]
    QuotaInvalid,
    /// No such quota.
    #[error("no such quota; list the quotas for what there is")]
    QuotaNotFound,
    /// The cluster has as many quotas as there may be.
    #[error("a cluster has at most 1 024 quotas; delete one, or put one for the whole role")]
    QuotasFull,
    /// No such request waits for a second operator, or it is not approved.
    #[error("no such request waits, or its time is over; list the approvals for what there is")]
    ApprovalNotFound,
    /// Who asked, somebody whom they invited, or somebody who is honoured no longer.
    #[error(
        "an approver is another operator than who asks, was not invited by them, and is still \
         honoured"
    )]
    ApproverUnfit,
    /// As many requests wait as may.
    #[error("64 requests wait for a second operator, or 16 of yours; let some be decided")]
    ApprovalsFull,
    /// A policy's end that is past, or too far.
    #[error("a policy ends at least a moment and at most 366 days from now, or never")]
    EndInvalid,
    /// No such policy was put.
    #[error("no such policy was put; list the policies for what there is")]
    PolicyNotFound,
    /// No job of this key runs.
    #[error("no rewrapping of this key is under way; start one")]
    RewrapNotFound,
    /// As many jobs run as may.
    #[error("256 keys are being rewrapped; wait until one is complete, or cancel one")]
    RewrapsFull,
}
