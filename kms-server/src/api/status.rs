//! The one place where errors become what goes over the wire: reasons, and gRPC status.
//!
//! Every layer below has its own errors; each is given its [`Reason`] here and nowhere else.

use std::sync::Arc;

use kms_client::reason::{LEADER_METADATA, REASON_METADATA, RETRY_AFTER_METADATA, Reason};
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::api::failure::Failure;
use crate::audit::AuditError;
use crate::ca::CaError;
use crate::command::Refusal;
use crate::policy::Denied;
use crate::replica::{BarrierError, ProposeError, RemovalError, TransferError, WaitError};
use crate::vault::VaultError;

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let mut status = Self::new(code(failure.reason), failure.message);
        let reason = MetadataValue::from_static(failure.reason.as_str());
        status.metadata_mut().insert(REASON_METADATA, reason);
        // An address that is no header value (never one of ours) is left out, not sent broken.
        if let Some(leader) = failure.leader.and_then(|address| address.parse().ok()) {
            status.metadata_mut().insert(LEADER_METADATA, leader);
        }
        // In milliseconds, as a number: always a header value.
        let wait = failure.retry_after.map(|wait| wait.as_millis().to_string());
        if let Some(wait) = wait.and_then(|wait| wait.parse().ok()) {
            status.metadata_mut().insert(RETRY_AFTER_METADATA, wait);
        }
        status
    }
}

/// What another node answered to a request that was handed to it.
impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let text = |name| {
            status
                .metadata()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let reason = text(REASON_METADATA).and_then(|reason| reason.parse().ok());
        let leader = text(LEADER_METADATA).map(str::to_owned);
        match reason {
            Some(reason) => Self {
                leader,
                ..Self::new(reason, status.message())
            },
            None => Self::new(
                Reason::Unavailable,
                "the leader cannot be reached; try again",
            ),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let reason = match refusal {
            Refusal::AlreadyBegun | Refusal::IdExists => Reason::IdExists,
            Refusal::NotBegun => Reason::Unavailable,
            Refusal::NameTaken => Reason::NameTaken,
            Refusal::NameInvalid
            | Refusal::IdempotencyReused
            | Refusal::TooLarge
            | Refusal::MinimumInvalid
            | Refusal::LabelsInvalid
            | Refusal::AliasesFull
            | Refusal::PeriodInvalid
            | Refusal::ImportsFull
            | Refusal::QuotaInvalid
            | Refusal::QuotaNotFound
            | Refusal::QuotasFull
            | Refusal::ApprovalsFull
            | Refusal::EndInvalid
            | Refusal::PolicyNotFound
            | Refusal::RewrapNotFound
            | Refusal::RewrapsFull => Reason::InvalidArgument,
            Refusal::ApprovalNotFound => Reason::ApprovalNotFound,
            Refusal::ApproverUnfit => Reason::Denied,
            Refusal::AliasNotFound => Reason::AliasNotFound,
            Refusal::ImportInvalid => Reason::ImportInvalid,
            Refusal::MaterialKnown => Reason::MaterialKnown,
            Refusal::KeyNotFound | Refusal::VersionNotFound => Reason::KeyNotFound,
            Refusal::KeyDisabled => Reason::KeyDisabled,
            Refusal::DeviceExists => Reason::DeviceExists,
            Refusal::DeviceNotFound => Reason::DeviceNotFound,
            Refusal::Conflict | Refusal::ContainmentPending | Refusal::EpochUnknown => {
                Reason::Conflict
            }
            Refusal::DeviceRevoked => Reason::DeviceRevoked,
            Refusal::GatewayNotFound => Reason::GatewayNotFound,
            Refusal::NodeNotFound => Reason::NodeNotFound,
            Refusal::LastNode => Reason::QuorumAtRisk,
            Refusal::FormatNewer => Reason::VersionNewer,
            Refusal::StaleGuard => Reason::EpochMoved,
            Refusal::TokenInvalid => Reason::TokenInvalid,
            Refusal::IdentityNotFound => Reason::Unauthenticated,
            Refusal::IdentityRevoked | Refusal::GatewaySideFixed => Reason::Denied,
            Refusal::RecordUnfit => {
                tracing::error!("a sealed record was refused; this is an error of Ward");
                Reason::Internal
            }
        };
        Self::new(reason, refusal.to_string())
    }
}

impl From<ProposeError> for Failure {
    fn from(error: ProposeError) -> Self {
        let reason = match &error {
            ProposeError::Refused(refusal) => return (*refusal).into(),
            ProposeError::NotLeader { leader } => {
                let address = leader
                    .as_ref()
                    .map(|(_, member)| member.addresses.api.clone());
                return Self::not_leader(address);
            }
            ProposeError::Unknown | ProposeError::Stopped => Reason::Unavailable,
            ProposeError::NoQuorum => Reason::NoQuorum,
            ProposeError::Sealed => Reason::Sealed,
            ProposeError::StorageFull => Reason::StorageFull,
        };
        Self::new(reason, error.to_string())
    }
}

impl From<BarrierError> for Failure {
    fn from(error: BarrierError) -> Self {
        let reason = match error {
            BarrierError::NoLeader => Reason::NoLeader,
            BarrierError::NoQuorum => Reason::NoQuorum,
            BarrierError::Behind => Reason::NotLinearizable,
            BarrierError::Stopped => Reason::Unavailable,
        };
        Self::new(reason, error.to_string())
    }
}

impl From<RemovalError> for Failure {
    fn from(error: RemovalError) -> Self {
        let reason = match &error {
            RemovalError::Unknown { .. } => Reason::NodeNotFound,
            RemovalError::LastVoter { .. } | RemovalError::Quorum { .. } => Reason::QuorumAtRisk,
            RemovalError::Unfinished { .. } => Reason::Deadline,
        };
        Self::new(reason, error.to_string())
    }
}

impl From<TransferError> for Failure {
    fn from(error: TransferError) -> Self {
        let reason = match &error {
            TransferError::Unknown { .. } => Reason::NodeNotFound,
            TransferError::NoVote { .. }
            | TransferError::Leaving { .. }
            | TransferError::Behind { .. } => Reason::CannotLead,
            // Something has changed, and the same request may do at whoever leads next.
            TransferError::NotTaken { leader, .. } => {
                let leader = leader.as_ref();
                let address = leader.map(|(_, member)| member.addresses.api.clone());
                return Self {
                    message: error.to_string(),
                    ..Self::not_leader(address)
                };
            }
        };
        Self::new(reason, error.to_string())
    }
}

impl From<WaitError> for Failure {
    fn from(error: WaitError) -> Self {
        let reason = match error {
            WaitError::TimedOut { .. } => Reason::NotLinearizable,
            WaitError::Stopped => Reason::Unavailable,
        };
        Self::new(reason, error.to_string())
    }
}

impl From<VaultError> for Failure {
    fn from(error: VaultError) -> Self {
        let reason = match &error {
            VaultError::Sealed => Reason::Sealed,
            VaultError::OpenFailed => Reason::OpenFailed,
            VaultError::VerifyFailed => Reason::VerifyFailed,
            VaultError::KeyUsage { .. } => Reason::KeyUsage,
            VaultError::NoRandom => Reason::Unavailable,
            VaultError::Format(_)
            | VaultError::ReservedContext
            | VaultError::ContextMoved
            | VaultError::Count { .. }
            | VaultError::RandomCount { .. }
            | VaultError::MessageTooLong
            | VaultError::Kind => Reason::InvalidArgument,
            VaultError::NotAuthorized | VaultError::Material { .. } | VaultError::Record(_) => {
                tracing::error!(%error, "the vault failed");
                Reason::Internal
            }
        };
        Self::new(reason, error.to_string())
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        // The policies' names go to the audit record; who is refused need not know them.
        Self {
            denied_by: Arc::clone(&denied.policies),
            ..Self::new(Reason::Denied, denied.to_string())
        }
    }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        tracing::error!(%error, "the audit log failed");
        Self::new(Reason::AuditUnavailable, error.to_string())
    }
}

impl From<CaError> for Failure {
    fn from(error: CaError) -> Self {
        let reason = match error {
            CaError::Malformed | CaError::KeyType | CaError::Possession => Reason::InvalidArgument,
            CaError::TrustDomain => Reason::CertificateForeign,
            CaError::TrustDomainName | CaError::Damaged | CaError::System => Reason::Internal,
        };
        Self::new(reason, error.to_string())
    }
}

/// The gRPC code that tells generic clients what to do; ours look at the reason.
fn code(reason: Reason) -> Code {
    match reason {
        Reason::KeyNotFound
        | Reason::AliasNotFound
        | Reason::ApprovalNotFound
        | Reason::DeviceNotFound
        | Reason::GatewayNotFound
        | Reason::ObjectNotFound
        | Reason::NodeNotFound => Code::NotFound,
        Reason::NameTaken | Reason::IdExists | Reason::DeviceExists | Reason::MaterialKnown => {
            Code::AlreadyExists
        }
        Reason::KeyDisabled
        | Reason::KeyUsage
        | Reason::VersionDisabled
        | Reason::VersionTooOld
        | Reason::DeviceRevoked
        | Reason::ImportInvalid
        | Reason::Sealed
        | Reason::NotLeader
        | Reason::QuorumAtRisk
        | Reason::ApprovalRequired
        | Reason::CannotLead => Code::FailedPrecondition,
        Reason::Conflict | Reason::EpochMoved => Code::Aborted,
        Reason::InvalidArgument | Reason::OpenFailed | Reason::VerifyFailed => {
            Code::InvalidArgument
        }
        Reason::Denied | Reason::NodeRemoved => Code::PermissionDenied,
        Reason::Unauthenticated
        | Reason::CertificateExpired
        | Reason::CertificateForeign
        | Reason::TokenInvalid => Code::Unauthenticated,
        Reason::NoLeader
        | Reason::NoQuorum
        | Reason::NotLinearizable
        | Reason::Unavailable
        | Reason::AuditUnavailable => Code::Unavailable,
        Reason::Overloaded | Reason::Quota | Reason::StorageFull => Code::ResourceExhausted,
        Reason::Deadline => Code::DeadlineExceeded,
        Reason::VersionNewer => Code::Unimplemented,
        Reason::Storage
        | Reason::Locked
        | Reason::PortInUse
        | Reason::NotInitialised
        | Reason::AlreadyInitialised
        | Reason::Internal => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::Member;
    use crate::state::{Addresses, NodeId};

    fn text<'a>(status: &'a Status, name: &str) -> Option<&'a str> {
        status
            .metadata()
            .get(name)
            .map(|value| value.to_str().unwrap())
    }

    #[test]
    fn a_refusal_names_its_reason() {
        let status = Status::from(Failure::from(Refusal::KeyDisabled));
        assert_eq!(text(&status, REASON_METADATA), Some("KEY_DISABLED"));
        assert_eq!(status.code(), Code::FailedPrecondition);
    }

    #[test]
    fn a_follower_names_the_leader() {
        let status = Status::from(Failure::not_leader(Some("127.0.0.1:7101".into())));
        assert_eq!(text(&status, REASON_METADATA), Some("NOT_LEADER"));
        assert_eq!(text(&status, LEADER_METADATA), Some("127.0.0.1:7101"));
    }

    #[test]
    fn without_a_leader_none_is_named() {
        let status = Status::from(Failure::not_leader(None));
        assert_eq!(text(&status, REASON_METADATA), Some("NO_LEADER"));
        assert_eq!(text(&status, LEADER_METADATA), None);
    }

    // Mutation: CANNOT_LEAD promises that nothing has changed, and nobody repeats it.
    #[test]
    fn a_transfer_that_was_not_taken_is_repeated_at_whoever_leads() {
        let node = NodeId(2);
        let member = Member {
            addresses: Addresses {
                api: "127.0.0.1:7301".into(),
                ..Addresses::default()
            },
            public_key: Vec::new(),
        };
        let leader = Some((NodeId(3), member));
        let status = Status::from(Failure::from(TransferError::NotTaken { node, leader }));
        assert_eq!(text(&status, REASON_METADATA), Some("NOT_LEADER"));
        assert_eq!(text(&status, LEADER_METADATA), Some("127.0.0.1:7301"));
        assert!(status.message().contains("node_id 3 leads now"), "{status}");
        let leader = None;
        let status = Status::from(Failure::from(TransferError::NotTaken { node, leader }));
        assert_eq!(text(&status, REASON_METADATA), Some("NO_LEADER"));
        assert_eq!(text(&status, LEADER_METADATA), None);
        assert!(status.message().contains("nobody does now"), "{status}");
        assert!(Reason::NotLeader.may_pass() && Reason::NoLeader.may_pass());
    }

    #[test]
    fn who_cannot_lead_is_told_so_and_is_not_asked_again() {
        let node = NodeId(2);
        for (error, expected) in [
            (TransferError::Unknown { node }, Reason::NodeNotFound),
            (TransferError::NoVote { node }, Reason::CannotLead),
            (TransferError::Leaving { node }, Reason::CannotLead),
            (TransferError::Behind { node }, Reason::CannotLead),
        ] {
            let failure = Failure::from(error);
            assert_eq!(failure.reason, expected, "{failure}");
            assert!(!failure.reason.may_pass() && failure.leader.is_none());
            assert!(failure.message.contains("node_id 2"), "{failure}");
        }
    }

    #[test]
    fn every_reason_has_a_code_that_is_no_success() {
        for &reason in Reason::ALL {
            assert_ne!(code(reason), Code::Ok, "{reason}");
        }
    }
}
