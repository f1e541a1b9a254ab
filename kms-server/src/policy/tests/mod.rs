//! Tests of authorization: who may do what, and above all who may not. This file holds the
//! identities and the questions.

use envelope::context::EncryptionContext;

use super::*;

mod built_in;
mod circumstances;
mod decisions;

const MON_1: DeviceRef<'static> = DeviceRef {
    id: "mon-1",
    gateway: Some("edge-a"),
};
const ANYONES: DeviceRef<'static> = DeviceRef {
    id: "mon-2",
    gateway: None,
};

fn principal(kind: PrincipalKind, id: &str) -> Principal {
    Principal {
        kind,
        id: id.to_owned(),
    }
}

fn operator() -> Principal {
    principal(PrincipalKind::Operator, "me")
}

fn app(id: &str) -> Principal {
    principal(PrincipalKind::App, id)
}

fn edge(id: &str) -> Principal {
    principal(PrincipalKind::Gateway(Some(GatewayRole::Edge)), id)
}

fn core() -> Principal {
    principal(PrincipalKind::Gateway(Some(GatewayRole::Core)), "core")
}

fn key(name: &str) -> Resource<'_> {
    Resource::key(name)
}

fn device_key() -> Resource<'static> {
    Resource::Key {
        name: "device/mon-1",
        device: Some(MON_1),
        labels: None,
    }
}

fn engine() -> Engine {
    Engine::built_in().unwrap()
}

fn ask(
    engine: &Engine,
    principal: &Principal,
    action: Action,
    resource: Resource<'_>,
) -> Result<Authorized, Denied> {
    let context = EncryptionContext::new();
    let facts = if action.has_context() {
        Facts::Use {
            encryption: &context,
            count: 1,
        }
    } else if action == Action::CreateJoinToken {
        Facts::Invite { role: "app" }
    } else {
        Facts::None
    };
    engine.authorize(&Request {
        principal,
        action,
        resource,
        facts,
        circumstances: Circumstances::default(),
    })
}

fn allows(principal: &Principal, action: Action, resource: Resource<'_>) -> bool {
    ask(&engine(), principal, action, resource).is_ok()
}

/// The resource that an action is asked about, a device's where it can be.
fn natural_resource(action: Action) -> Resource<'static> {
    match action {
        Action::Encrypt
        | Action::Decrypt
        | Action::ReEncryptFrom
        | Action::ReEncryptTo
        | Action::GenerateDataKey
        | Action::GenerateDataKeyWithoutPlaintext
        | Action::UnwrapDataKey
        | Action::CreateKey
        | Action::RotateKey
        | Action::EnableKey
        | Action::DisableKey
        | Action::Sign
        | Action::Verify
        | Action::GenerateMac
        | Action::VerifyMac
        | Action::GetPublicKey
        | Action::EnableKeyVersion
        | Action::DisableKeyVersion
        | Action::SetKeyMinimum
        | Action::SetKeyLabels
        | Action::SetKeyRotation
        | Action::GetImportParameters
        | Action::ImportKey
        | Action::PutAlias
        | Action::DeleteAlias
        | Action::StartRewrap
        | Action::CancelRewrap
        | Action::RewrapDataKeys
        | Action::DescribeKey => device_key(),
        Action::EnrollDevice
        | Action::DescribeDevice
        | Action::IssueDeviceCertificate
        | Action::ContainDevice
        | Action::ReleaseDevice
        | Action::RevokeDevice
        | Action::SetOfflineAllowance
        | Action::DescribeContainment
        | Action::AcknowledgeContainment => Resource::Device(MON_1),
        Action::ListKeys
        | Action::ListDevices
        | Action::RenewCertificate
        | Action::CreateJoinToken
        | Action::RemoveNode
        | Action::TransferLeadership
        | Action::AnnounceGateway
        | Action::GetClusterStatus
        | Action::Watch
        | Action::RenewLease
        | Action::RevokeGateway
        | Action::PutPolicy
        | Action::ReadPolicies
        | Action::PutQuota
        | Action::DeleteQuota
        | Action::ReadQuotas
        | Action::ReadApprovals
        | Action::ApproveRequest
        | Action::RejectRequest
        | Action::DeletePolicy
        | Action::ReadCensus
        | Action::ReportArchive
        | Action::GenerateRandom
        | Action::ListAliases
        | Action::ReadAudit => Resource::Cluster,
    }
}

/// Asks about every action and compares what is allowed with `expected`, exactly.
fn check(principal: &Principal, expected: &[Action]) {
    let engine = engine();
    for action in Action::ALL {
        let allowed = ask(&engine, principal, action, natural_resource(action)).is_ok();
        assert_eq!(
            allowed,
            expected.contains(&action),
            "{principal:?} {action}"
        );
    }
}
