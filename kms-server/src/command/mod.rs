//! What may be written to the log: one file a verb, each a plain struct and its pure `apply`.
//!
//! Everything random, secret or dependent on a clock was decided by the leader before: a command
//! carries finished ciphertext. `apply` is deterministic and total: it reads the [`Index`] and
//! answers with an [`Outcome`] or a [`Refusal`], and never fails.
//!
//! [`Index`]: crate::state::Index

mod acknowledge_containment;
mod anchor_audit;
mod announce_gateway;
mod apply;
mod approve_request;
mod approved;
mod cancel_rewrap;
mod consume_join_token;
mod create_import;
mod create_join_token;
mod create_key;
mod create_typed_key;
mod delete_alias;
mod delete_quota;
mod enroll_device;
mod genesis;
mod import_key;
mod names;
mod order_containment;
mod outcome;
mod proposal;
mod put_alias;
mod put_policy;
mod put_quota;
mod raise_format;
mod record_certificate;
mod refusal;
mod remove_node;
mod report_archive;
mod request_approval;
mod revoke_gateway;
mod rotate_key;
mod rotate_signing_key;
mod sealed;
mod set_key_labels;
mod set_key_minimum;
mod set_key_rotation;
mod set_key_state;
mod set_offline_allowance;
mod set_version_state;
mod settle_containment;
mod start_rewrap;
mod target;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod writes;

use serde::{Deserialize, Serialize};

pub use acknowledge_containment::AcknowledgeContainment;
pub use anchor_audit::{AnchorAudit, AuditHead};
pub use announce_gateway::AnnounceGateway;
pub(crate) use apply::{Effect, apply, check_format};
pub use approve_request::{ApproveRequest, RejectRequest};
pub use approved::Approved;
pub use cancel_rewrap::CancelRewrap;
pub(crate) use consume_join_token::Holder;
pub use consume_join_token::{ConsumeJoinToken, NodeJoin};
pub use create_import::CreateImport;
pub use create_join_token::CreateJoinToken;
pub use create_key::CreateKey;
pub use create_typed_key::CreateTypedKey;
pub use delete_alias::DeleteAlias;
pub use delete_quota::DeleteQuota;
pub use enroll_device::EnrollDevice;
pub use genesis::{FirstIdentity, Genesis};
pub use import_key::ImportKey;
pub(crate) use names::{
    ALIAS_PREFIX, LABELS_MAX, is_alias, is_case_id, is_id, is_key_name, is_label, is_service,
};
pub use order_containment::OrderContainment;
pub(crate) use order_containment::SERVICES_MAX;
pub use outcome::Outcome;
pub use proposal::{Guard, Idempotency, Proposal};
pub use put_alias::PutAlias;
pub(crate) use put_alias::{check_delete, check_put};
pub use put_policy::{DeletePolicy, PutEndingPolicy, PutPolicy};
pub use put_quota::PutQuota;
pub use raise_format::RaiseFormat;
pub use record_certificate::RecordCertificate;
pub use refusal::Refusal;
pub use remove_node::RemoveNode;
pub(crate) use report_archive::{REPORT_KEYS_MAX, REPORT_RANGES_MAX};
pub use report_archive::{ReportArchive, ToldKey, ToldRewrap};
pub use request_approval::RequestApproval;
pub use revoke_gateway::{ForgetGateway, RevokeGateway};
pub use rotate_key::RotateKey;
pub use rotate_signing_key::RotateSigningKey;
pub use set_key_labels::SetKeyLabels;
pub use set_key_minimum::SetKeyMinimum;
pub use set_key_rotation::SetKeyRotation;
pub use set_key_state::SetKeyState;
pub use set_offline_allowance::SetOfflineAllowance;
pub use set_version_state::SetVersionState;
pub use settle_containment::SettleContainment;
pub use start_rewrap::StartRewrap;
pub(crate) use writes::{Write, Writes};

/// A write. New variants go to the end: their numbers are in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Begins the cluster.
    Genesis(Box<Genesis>),
    /// Makes a key with its first version.
    CreateKey(CreateKey),
    /// Makes a new primary version.
    RotateKey(RotateKey),
    /// Enables or disables a key.
    SetKeyState(SetKeyState),
    /// Enrols a device with its key.
    EnrollDevice(EnrollDevice),
    /// Keeps the hash of a join token.
    CreateJoinToken(CreateJoinToken),
    /// Turns a join token into an identity.
    ConsumeJoinToken(ConsumeJoinToken),
    /// Records the public key of a certificate before it is handed out.
    RecordCertificate(RecordCertificate),
    /// Records where a gateway is.
    AnnounceGateway(AnnounceGateway),
    /// Writes or replaces a policy.
    PutPolicy(PutPolicy),
    /// Orders how far a device is contained.
    OrderContainment(OrderContainment),
    /// Sets a device's offline allowance.
    SetOfflineAllowance(SetOfflineAllowance),
    /// Records that a gateway carried an order out.
    AcknowledgeContainment(AcknowledgeContainment),
    /// Records that nobody waits for an order any more.
    SettleContainment(SettleContainment),
    /// Revokes a gateway.
    RevokeGateway(RevokeGateway),
    /// Forgets a former gateway.
    ForgetGateway(ForgetGateway),
    /// Records the heads of audit logs.
    AnchorAudit(AnchorAudit),
    /// Takes a node out of the cluster for good.
    RemoveNode(RemoveNode),
    /// Raises the version of everything stored.
    RaiseFormat(RaiseFormat),
    /// Makes a key of another type than AES-256-GCM.
    CreateTypedKey(CreateTypedKey),
    /// Makes a new primary version of a key that signs.
    RotateSigningKey(RotateSigningKey),
    /// Enables or disables one version of a key.
    SetVersionState(SetVersionState),
    /// Sets the lowest versions of a key that may be used.
    SetKeyMinimum(SetKeyMinimum),
    /// Sets and removes labels of a key.
    SetKeyLabels(SetKeyLabels),
    /// Makes an alias or moves it.
    PutAlias(PutAlias),
    /// Deletes an alias.
    DeleteAlias(DeleteAlias),
    /// Gives a key a rotation period, or takes it away.
    SetKeyRotation(SetKeyRotation),
    /// Keeps a key pair for one import.
    CreateImport(Box<CreateImport>),
    /// Makes a key of material from elsewhere.
    ImportKey(Box<ImportKey>),
    /// Sets a quota.
    PutQuota(PutQuota),
    /// Takes a quota away.
    DeleteQuota(DeleteQuota),
    /// Keeps a request that waits for a second operator.
    RequestApproval(Box<RequestApproval>),
    /// Approves a request of another operator.
    ApproveRequest(ApproveRequest),
    /// Ends a request that waits for a second operator.
    RejectRequest(RejectRequest),
    /// Carries out what a second operator approved.
    Approved(Approved),
    /// Writes or replaces a policy that ends by itself.
    PutEndingPolicy(PutEndingPolicy),
    /// Takes a policy out of force.
    DeletePolicy(DeletePolicy),
    /// Begins a job that moves archived data keys to newer versions.
    StartRewrap(StartRewrap),
    /// Ends such a job.
    CancelRewrap(CancelRewrap),
    /// Records what the archive of a gateway holds.
    ReportArchive(Box<ReportArchive>),
    /// Changes nothing; no other build can read it.
    #[cfg(feature = "rehearse-upgrade")]
    Rehearsal,
}

impl Command {
    /// A word for logs and metrics; never more than the verb.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Genesis(_) => "genesis",
            Self::CreateKey(_) => "create_key",
            Self::RotateKey(_) => "rotate_key",
            Self::SetKeyState(_) => "set_key_state",
            Self::EnrollDevice(_) => "enroll_device",
            Self::CreateJoinToken(_) => "create_join_token",
            Self::ConsumeJoinToken(_) => "consume_join_token",
            Self::RecordCertificate(_) => "record_certificate",
            Self::AnnounceGateway(_) => "announce_gateway",
            Self::PutPolicy(_) => "put_policy",
            Self::OrderContainment(_) => "order_containment",
            Self::SetOfflineAllowance(_) => "set_offline_allowance",
            Self::AcknowledgeContainment(_) => "acknowledge_containment",
            Self::SettleContainment(_) => "settle_containment",
            Self::RevokeGateway(_) => "revoke_gateway",
            Self::ForgetGateway(_) => "forget_gateway",
            Self::AnchorAudit(_) => "anchor_audit",
            Self::RemoveNode(_) => "remove_node",
            Self::RaiseFormat(_) => "raise_format",
            Self::CreateTypedKey(_) => "create_typed_key",
            Self::RotateSigningKey(_) => "rotate_signing_key",
            Self::SetVersionState(_) => "set_version_state",
            Self::SetKeyMinimum(_) => "set_key_minimum",
            Self::SetKeyLabels(_) => "set_key_labels",
            Self::PutAlias(_) => "put_alias",
            Self::DeleteAlias(_) => "delete_alias",
            Self::SetKeyRotation(_) => "set_key_rotation",
            Self::CreateImport(_) => "create_import",
            Self::ImportKey(_) => "import_key",
            Self::PutQuota(_) => "put_quota",
            Self::DeleteQuota(_) => "delete_quota",
            Self::RequestApproval(_) => "request_approval",
            Self::ApproveRequest(_) => "approve_request",
            Self::RejectRequest(_) => "reject_request",
            Self::Approved(approved) => approved.command.name(),
            Self::PutEndingPolicy(_) => "put_ending_policy",
            Self::DeletePolicy(_) => "delete_policy",
            Self::StartRewrap(_) => "start_rewrap",
            Self::CancelRewrap(_) => "cancel_rewrap",
            Self::ReportArchive(_) => "report_archive",
            #[cfg(feature = "rehearse-upgrade")]
            Self::Rehearsal => "rehearsal",
        }
    }

    /// The format version that brought this command: it is refused in a state of an older one,
    /// since a member of that version might not know it.
    pub(crate) fn format(&self) -> u32 {
        match self {
            Self::Genesis(_)
            | Self::CreateKey(_)
            | Self::RotateKey(_)
            | Self::SetKeyState(_)
            | Self::EnrollDevice(_)
            | Self::CreateJoinToken(_)
            | Self::ConsumeJoinToken(_)
            | Self::RecordCertificate(_)
            | Self::AnnounceGateway(_)
            | Self::PutPolicy(_)
            | Self::RemoveNode(_)
            | Self::RaiseFormat(_)
            | Self::OrderContainment(_)
            | Self::SetOfflineAllowance(_)
            | Self::AcknowledgeContainment(_)
            | Self::SettleContainment(_)
            | Self::RevokeGateway(_)
            | Self::ForgetGateway(_)
            | Self::AnchorAudit(_) => 1,
            Self::CreateTypedKey(_)
            | Self::RotateSigningKey(_)
            | Self::SetVersionState(_)
            | Self::SetKeyMinimum(_)
            | Self::SetKeyLabels(_)
            | Self::PutAlias(_)
            | Self::DeleteAlias(_) => 2,
            Self::SetKeyRotation(_) | Self::CreateImport(_) | Self::ImportKey(_) => 3,
            Self::PutQuota(_) | Self::DeleteQuota(_) => 3,
            Self::RequestApproval(_)
            | Self::ApproveRequest(_)
            | Self::RejectRequest(_)
            | Self::Approved(_)
            | Self::PutEndingPolicy(_)
            | Self::DeletePolicy(_) => 4,
            Self::StartRewrap(_) | Self::CancelRewrap(_) | Self::ReportArchive(_) => 4,
            #[cfg(feature = "rehearse-upgrade")]
            Self::Rehearsal => crate::state::FORMAT_VERSION,
        }
    }
}
