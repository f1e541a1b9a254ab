//! The built-in policies, action by action.

use super::*;

#[test]
fn actions_are_those_of_the_schema() {
    let set = PolicySet::built_in(0).unwrap();
    let mut schema: Vec<_> = set
        .schema
        .actions()
        .map(|uid| uid.id().unescaped().to_owned())
        .collect();
    let mut ours: Vec<_> = Action::ALL
        .iter()
        .map(|action| action.name().to_owned())
        .collect();
    schema.sort();
    ours.sort();
    assert_eq!(ours, schema);
}

#[test]
fn the_schema_has_no_warnings_and_the_built_in_policies_none_either() {
    let text = include_str!("../ward.cedarschema");
    let (schema, warnings) = cedar_policy::Schema::from_cedarschema_str(text).unwrap();
    assert_eq!(warnings.count(), 0);
    let set = PolicySet::built_in(0).unwrap();
    let mode = cedar_policy::ValidationMode::Strict;
    let result = cedar_policy::Validator::new(schema).validate(&set.policies, mode);
    assert!(result.validation_passed_without_warnings(), "{result}");
}

#[test]
fn an_operator_can_do_what_operators_do() {
    let operators: Vec<_> = Action::ALL
        .into_iter()
        .filter(|action| {
            !matches!(
                action,
                Action::AnnounceGateway
                    | Action::IssueDeviceCertificate
                    | Action::RenewLease
                    | Action::AcknowledgeContainment
                    | Action::ReportArchive
                    | Action::RewrapDataKeys
            )
        })
        .collect();
    check(&operator(), &operators);
}

#[test]
fn a_core_gateway_seals_device_traffic_and_never_opens_it() {
    check(
        &core(),
        &[
            Action::GenerateDataKey,
            Action::GenerateDataKeyWithoutPlaintext,
            Action::DescribeKey,
            Action::DescribeDevice,
            Action::ListDevices,
            Action::RenewCertificate,
            Action::AnnounceGateway,
            Action::GetClusterStatus,
            Action::Watch,
            Action::RenewLease,
            Action::AcknowledgeContainment,
            Action::ReportArchive,
            Action::RewrapDataKeys,
        ],
    );
    assert!(!allows(&core(), Action::GenerateDataKey, key("billing")));
    assert!(!allows(&core(), Action::RewrapDataKeys, key("billing")));
}

#[test]
fn an_edge_gateway_speaks_for_its_devices_and_uses_no_key() {
    check(
        &edge("edge-a"),
        &[
            Action::DescribeKey,
            Action::DescribeDevice,
            Action::ListDevices,
            Action::RenewCertificate,
            Action::IssueDeviceCertificate,
            Action::AnnounceGateway,
            Action::GetClusterStatus,
            Action::Watch,
            Action::RenewLease,
            Action::AcknowledgeContainment,
        ],
    );
    let issue = |gateway: &Principal, device| {
        allows(
            gateway,
            Action::IssueDeviceCertificate,
            Resource::Device(device),
        )
    };
    assert!(issue(&edge("edge-a"), ANYONES));
    assert!(!issue(&edge("edge-b"), MON_1), "another edge's device");
    assert!(!issue(&core(), ANYONES), "a core speaks for no device");
}

#[test]
fn a_gateway_that_has_not_announced_itself_is_neither_edge_nor_core() {
    let unknown = principal(PrincipalKind::Gateway(None), "edge-a");
    assert!(allows(&unknown, Action::AnnounceGateway, Resource::Cluster));
    assert!(!allows(
        &unknown,
        Action::IssueDeviceCertificate,
        Resource::Device(MON_1)
    ));
    assert!(!allows(&unknown, Action::GenerateDataKey, device_key()));
}

#[test]
fn an_application_has_its_own_keys_and_no_others() {
    let uses = [
        Action::Encrypt,
        Action::Decrypt,
        Action::ReEncryptFrom,
        Action::ReEncryptTo,
        Action::GenerateDataKey,
        Action::GenerateDataKeyWithoutPlaintext,
        Action::UnwrapDataKey,
        Action::Sign,
        Action::Verify,
        Action::GenerateMac,
        Action::VerifyMac,
        Action::DescribeKey,
        Action::GetPublicKey,
    ];
    for action in uses {
        assert!(
            allows(&app("viewer"), action, key("app/viewer/x")),
            "{action}"
        );
        assert!(
            allows(&app("viewer"), action, key("app/viewer/x/y")),
            "{action}"
        );
        for other in [
            "app/view/x",
            "app/viewer",
            "app/viewer/",
            "app//x",
            "viewer/x",
            "apps/viewer/x",
        ] {
            assert!(
                !allows(&app("viewer"), action, key(other)),
                "{action} {other}"
            );
        }
        assert!(!allows(&app("viewer"), action, device_key()), "{action}");
    }
    for action in [
        Action::CreateKey,
        Action::RotateKey,
        Action::EnableKey,
        Action::DisableKey,
        Action::EnableKeyVersion,
        Action::DisableKeyVersion,
        Action::SetKeyMinimum,
        Action::SetKeyLabels,
        Action::SetKeyRotation,
        Action::GetImportParameters,
        Action::ImportKey,
        Action::PutAlias,
        Action::DeleteAlias,
    ] {
        assert!(
            !allows(&app("viewer"), action, key("app/viewer/x")),
            "{action}"
        );
    }
}

#[test]
fn nodes_and_devices_renew_and_use_no_key() {
    check(
        &principal(PrincipalKind::Node, "1"),
        &[Action::RenewCertificate, Action::GetClusterStatus],
    );
    check(
        &principal(PrincipalKind::Device, "mon-1"),
        &[Action::RenewCertificate],
    );
}
