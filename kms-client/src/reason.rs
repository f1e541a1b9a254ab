//! The one list of machine-readable reasons. Nodes send them, the client answers them, `ward`
//! prints them as `error[REASON]`.

use std::fmt;
use std::str::FromStr;

/// The gRPC metadata key under which a node sends the [`Reason`] of a refusal.
pub const REASON_METADATA: &str = "ward-reason";

/// The gRPC metadata key under which a node that answers [`Reason::NotLeader`] names the leader's
/// API address, `host:port`.
pub const LEADER_METADATA: &str = "ward-leader";

/// The gRPC metadata key under which a node that answers [`Reason::Quota`] says after how many
/// milliseconds there is room again.
pub const RETRY_AFTER_METADATA: &str = "ward-retry-after-ms";

/// Why something was refused or failed. Stable: names are added, never changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No such key.
    KeyNotFound,
    /// The key is disabled, with all its versions.
    KeyDisabled,
    /// This version of the key is disabled.
    VersionDisabled,
    /// This version of the key is below the minimum that was set.
    VersionTooOld,
    /// No such alias.
    AliasNotFound,
    /// No such import under way, or not for this key or caller.
    ImportInvalid,
    /// The same material was imported before.
    MaterialKnown,
    /// The key is of a type that is for something else.
    KeyUsage,
    /// Another key has this name.
    NameTaken,
    /// The id is or was in use.
    IdExists,
    /// No such device.
    DeviceNotFound,
    /// The device is enrolled already.
    DeviceExists,
    /// The device is revoked.
    DeviceRevoked,
    /// No such gateway.
    GatewayNotFound,
    /// Somebody else changed it first.
    Conflict,
    /// The request is malformed.
    InvalidArgument,
    /// Wrong key, wrong context or changed data; never told apart.
    OpenFailed,
    /// Wrong key, wrong message or changed signature; never told apart.
    VerifyFailed,
    /// No policy permits it.
    Denied,
    /// A policy lets nobody do it alone: a second operator approves it first.
    ApprovalRequired,
    /// No such request waits for a second operator.
    ApprovalNotFound,
    /// No certificate, or one that the cluster does not know.
    Unauthenticated,
    /// The certificate's dates are past.
    CertificateExpired,
    /// The certificate is of another cluster or for another role.
    CertificateForeign,
    /// The join token is unknown, used or past its date.
    TokenInvalid,
    /// The node lacks the root key.
    Sealed,
    /// Only the leader does this.
    NotLeader,
    /// No leader is known.
    NoLeader,
    /// A majority of nodes cannot be reached.
    NoQuorum,
    /// The node cannot prove that its answer would be current.
    NotLinearizable,
    /// The permissions moved between decision and apply.
    EpochMoved,
    /// Too much work at once.
    Overloaded,
    /// The caller's own limit.
    Quota,
    /// The time given was not enough.
    Deadline,
    /// No node can be reached.
    Unavailable,
    /// No audit record can be made durable, so no secret leaves.
    AuditUnavailable,
    /// The disk is full.
    StorageFull,
    /// The data was written by a newer version.
    VersionNewer,
    /// No such object in the archive.
    ObjectNotFound,
    /// No such node in the cluster.
    NodeNotFound,
    /// The node was removed from the cluster.
    NodeRemoved,
    /// What is left would be no quorum.
    QuorumAtRisk,
    /// The node cannot take leadership over now.
    CannotLead,
    /// A file or folder is missing, unreadable or malformed.
    Storage,
    /// Another process holds it.
    Locked,
    /// A listener's port is taken.
    PortInUse,
    /// The directory belongs to no cluster yet.
    NotInitialised,
    /// The directory belongs to a cluster already.
    AlreadyInitialised,
    /// An error of Ward itself.
    Internal,
}

impl Reason {
    /// All reasons.
    pub const ALL: &[Self] = &[
        Self::KeyNotFound,
        Self::KeyDisabled,
        Self::VersionDisabled,
        Self::VersionTooOld,
        Self::AliasNotFound,
        Self::ImportInvalid,
        Self::MaterialKnown,
        Self::KeyUsage,
        Self::NameTaken,
        Self::IdExists,
        Self::DeviceNotFound,
        Self::DeviceExists,
        Self::DeviceRevoked,
        Self::GatewayNotFound,
        Self::Conflict,
        Self::InvalidArgument,
        Self::OpenFailed,
        Self::VerifyFailed,
        Self::Denied,
        Self::ApprovalRequired,
        Self::ApprovalNotFound,
        Self::Unauthenticated,
        Self::CertificateExpired,
        Self::CertificateForeign,
        Self::TokenInvalid,
        Self::Sealed,
        Self::NotLeader,
        Self::NoLeader,
        Self::NoQuorum,
        Self::NotLinearizable,
        Self::EpochMoved,
        Self::Overloaded,
        Self::Quota,
        Self::Deadline,
        Self::Unavailable,
        Self::AuditUnavailable,
        Self::StorageFull,
        Self::VersionNewer,
        Self::ObjectNotFound,
        Self::NodeNotFound,
        Self::NodeRemoved,
        Self::QuorumAtRisk,
        Self::CannotLead,
        Self::Storage,
        Self::Locked,
        Self::PortInUse,
        Self::NotInitialised,
        Self::AlreadyInitialised,
        Self::Internal,
    ];

    /// Tells the name that goes over the wire and to scripts.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeyNotFound => "KEY_NOT_FOUND",
            Self::KeyDisabled => "KEY_DISABLED",
            Self::VersionDisabled => "VERSION_DISABLED",
            Self::VersionTooOld => "VERSION_TOO_OLD",
            Self::AliasNotFound => "ALIAS_NOT_FOUND",
            Self::ImportInvalid => "IMPORT_INVALID",
            Self::MaterialKnown => "MATERIAL_KNOWN",
            Self::KeyUsage => "KEY_USAGE",
            Self::NameTaken => "NAME_TAKEN",
            Self::IdExists => "ID_EXISTS",
            Self::DeviceNotFound => "DEVICE_NOT_FOUND",
            Self::DeviceExists => "DEVICE_EXISTS",
            Self::DeviceRevoked => "DEVICE_REVOKED",
            Self::GatewayNotFound => "GATEWAY_NOT_FOUND",
            Self::Conflict => "CONFLICT",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::OpenFailed => "OPEN_FAILED",
            Self::VerifyFailed => "VERIFY_FAILED",
            Self::Denied => "DENIED",
            Self::ApprovalRequired => "APPROVAL_REQUIRED",
            Self::ApprovalNotFound => "APPROVAL_NOT_FOUND",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::CertificateExpired => "CERTIFICATE_EXPIRED",
            Self::CertificateForeign => "CERTIFICATE_FOREIGN",
            Self::TokenInvalid => "TOKEN_INVALID",
            Self::Sealed => "SEALED",
            Self::NotLeader => "NOT_LEADER",
            Self::NoLeader => "NO_LEADER",
            Self::NoQuorum => "NO_QUORUM",
            Self::NotLinearizable => "NOT_LINEARIZABLE",
            Self::EpochMoved => "EPOCH_MOVED",
            Self::Overloaded => "OVERLOADED",
            Self::Quota => "QUOTA",
            Self::Deadline => "DEADLINE",
            Self::Unavailable => "UNAVAILABLE",
            Self::AuditUnavailable => "AUDIT_UNAVAILABLE",
            Self::StorageFull => "STORAGE_FULL",
            Self::VersionNewer => "VERSION_NEWER",
            Self::ObjectNotFound => "OBJECT_NOT_FOUND",
            Self::NodeNotFound => "NODE_NOT_FOUND",
            Self::NodeRemoved => "NODE_REMOVED",
            Self::QuorumAtRisk => "QUORUM_AT_RISK",
            Self::CannotLead => "CANNOT_LEAD",
            Self::Storage => "STORAGE",
            Self::Locked => "LOCKED",
            Self::PortInUse => "PORT_IN_USE",
            Self::NotInitialised => "NOT_INITIALISED",
            Self::AlreadyInitialised => "ALREADY_INITIALISED",
            Self::Internal => "INTERNAL",
        }
    }

    /// Tells whether the same request may succeed at another node or a little later.
    #[must_use]
    pub fn may_pass(self) -> bool {
        match self {
            Self::Sealed
            | Self::NotLeader
            | Self::NoLeader
            | Self::NoQuorum
            | Self::NotLinearizable
            | Self::EpochMoved
            | Self::Overloaded
            | Self::Deadline
            | Self::Unavailable
            | Self::AuditUnavailable => true,
            Self::KeyNotFound
            | Self::KeyDisabled
            | Self::VersionDisabled
            | Self::VersionTooOld
            | Self::AliasNotFound
            | Self::ImportInvalid
            | Self::MaterialKnown
            | Self::KeyUsage
            | Self::NameTaken
            | Self::IdExists
            | Self::DeviceNotFound
            | Self::DeviceExists
            | Self::DeviceRevoked
            | Self::GatewayNotFound
            | Self::Conflict
            | Self::InvalidArgument
            | Self::OpenFailed
            | Self::VerifyFailed
            | Self::Denied
            | Self::ApprovalRequired
            | Self::ApprovalNotFound
            | Self::Unauthenticated
            | Self::CertificateExpired
            | Self::CertificateForeign
            | Self::TokenInvalid
            | Self::Quota
            | Self::StorageFull
            | Self::VersionNewer
            | Self::ObjectNotFound
            | Self::NodeNotFound
            | Self::NodeRemoved
            | Self::QuorumAtRisk
            | Self::CannotLead
            | Self::Storage
            | Self::Locked
            | Self::PortInUse
            | Self::NotInitialised
            | Self::AlreadyInitialised
            | Self::Internal => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not one of the known reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a reason that this version knows")]
pub struct UnknownReason;

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.as_str() == text)
            .ok_or(UnknownReason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back_from_its_own_name() {
        for &reason in Reason::ALL {
            assert_eq!(reason.to_string().parse(), Ok(reason));
            let name = reason.as_str();
            assert!(
                name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'),
                "{name}"
            );
        }
    }

    #[test]
    fn no_two_reasons_share_a_name() {
        let names: std::collections::BTreeSet<_> =
            Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(names.len(), Reason::ALL.len());
        // The list is complete: a variant more than the list would have this discriminant.
        assert_eq!(Reason::Internal as usize + 1, Reason::ALL.len());
    }

    #[test]
    fn other_words_are_not_reasons() {
        for text in ["", "key_disabled", "NO_SUCH_REASON", "SEALED "] {
            assert_eq!(text.parse::<Reason>(), Err(UnknownReason));
        }
    }
}
