//! Tests of the built-in policies: who may do what, and above all who may not.

use std::str::FromStr;

use envelope::context::EncryptionContext;

use super::*;

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
    Resource::Key { name, device: None }
}

fn device_key() -> Resource<'static> {
    Resource::Key {
        name: "device/mon-1",
        device: Some(MON_1),
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
    let facts = match action {
        Action::Encrypt
        | Action::Decrypt
        | Action::ReEncryptFrom
        | Action::ReEncryptTo
        | Action::GenerateDataKey
        | Action::GenerateDataKeyWithoutPlaintext
        | Action::UnwrapDataKey => Facts::Use {
            encryption: &context,
            count: 1,
        },
        Action::CreateJoinToken => Facts::Invite { role: "app" },
        Action::CreateKey
        | Action::RotateKey
        | Action::EnableKey
        | Action::DisableKey
        | Action::DescribeKey
        | Action::ListKeys
        | Action::EnrollDevice
        | Action::DescribeDevice
        | Action::ListDevices
        | Action::RenewCertificate
        | Action::IssueDeviceCertificate
        | Action::AnnounceGateway
        | Action::GetClusterStatus
        | Action::Watch => Facts::None,
    };
    engine.authorize(&Request {
        principal,
        action,
        resource,
        facts,
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
        | Action::DescribeKey => device_key(),
        Action::EnrollDevice | Action::DescribeDevice | Action::IssueDeviceCertificate => {
            Resource::Device(MON_1)
        }
        Action::ListKeys
        | Action::ListDevices
        | Action::RenewCertificate
        | Action::CreateJoinToken
        | Action::AnnounceGateway
        | Action::GetClusterStatus
        | Action::Watch => Resource::Cluster,
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
    let text = include_str!("ward.cedarschema");
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
                Action::AnnounceGateway | Action::IssueDeviceCertificate
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
        ],
    );
    assert!(!allows(&core(), Action::GenerateDataKey, key("billing")));
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
        Action::DescribeKey,
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

#[test]
fn a_decision_names_its_policies_and_its_epoch() {
    let engine = Engine::new(PolicySet::built_in(41).unwrap());
    let yes = ask(&engine, &operator(), Action::UnwrapDataKey, device_key()).unwrap();
    assert_eq!(yes.policies(), ["operator-opens-data-keys"]);
    assert_eq!(
        (yes.action(), yes.resource()),
        (Action::UnwrapDataKey, "device/mon-1")
    );
    assert_eq!(yes.policy_epoch(), 41);
    assert!(yes.covers(Action::UnwrapDataKey, "device/mon-1"));
    assert!(!yes.covers(Action::Decrypt, "device/mon-1"));
    assert!(!yes.covers(Action::UnwrapDataKey, "device/mon-2"));

    let no = ask(&engine, &core(), Action::UnwrapDataKey, device_key()).unwrap_err();
    assert_eq!(no.policies, ["gateway-never-opens"]);
    assert_eq!(no.because, DeniedBecause::Forbidden);
    let no = ask(&engine, &app("a"), Action::Encrypt, key("x")).unwrap_err();
    assert_eq!((no.policies, no.because), (vec![], DeniedBecause::NoPolicy));
    let device = principal(PrincipalKind::Device, "mon-1");
    let no = ask(&engine, &device, Action::Decrypt, device_key()).unwrap_err();
    assert_eq!(no.because, DeniedBecause::Impossible);
}

#[test]
fn an_added_policy_can_decide_by_the_encryption_context() {
    let text = r#"
        @id("viewer-opens-mon-1")
        permit (principal == Ward::App::"viewer", action == Ward::Action::"UnwrapDataKey", resource)
        when {
          resource has device && resource.device == Ward::Device::"mon-1" && context.count == 1 &&
          context.encryption.hasTag("study") && context.encryption.getTag("study") == "7"
        };"#;
    let added = [PolicyText {
        name: "hospital.cedar",
        text,
    }];
    let engine = engine();
    let unwrap = |pairs: &[(&str, &str)]| {
        let mut encryption = EncryptionContext::new();
        for (name, value) in pairs {
            encryption.insert(*name, *value).unwrap();
        }
        let (principal, resource) = (&app("viewer"), device_key());
        let facts = Facts::Use {
            encryption: &encryption,
            count: 1,
        };
        engine.authorize(&Request {
            principal,
            action: Action::UnwrapDataKey,
            resource,
            facts,
        })
    };
    assert!(unwrap(&[("study", "7")]).is_err());

    engine.install(PolicySet::with(&added, 5).unwrap());

    assert_eq!(engine.epoch(), 5);
    assert_eq!(
        unwrap(&[("study", "7")]).unwrap().policies(),
        ["viewer-opens-mon-1"]
    );
    assert_eq!(
        unwrap(&[("study", "8")]).unwrap_err().because,
        DeniedBecause::NoPolicy
    );
    assert_eq!(unwrap(&[]).unwrap_err().because, DeniedBecause::NoPolicy);
}

#[test]
fn no_added_policy_lets_a_gateway_open_what_it_sealed() {
    let text = r#"@id("all") permit (principal, action, resource);"#;
    let set = PolicySet::with(
        &[PolicyText {
            name: "all.cedar",
            text,
        }],
        1,
    )
    .unwrap();
    let engine = Engine::new(set);
    for action in [
        Action::UnwrapDataKey,
        Action::Decrypt,
        Action::ReEncryptFrom,
    ] {
        let no = ask(&engine, &core(), action, device_key()).unwrap_err();
        assert_eq!(no.because, DeniedBecause::Forbidden, "{action}");
    }
    assert!(ask(&engine, &core(), Action::Encrypt, device_key()).is_ok());
}

#[test]
fn a_policy_that_fails_to_evaluate_denies() {
    // An overflow passes validation; were the policy only skipped, the built-in permit would win.
    let text = r#"
        @id("broken")
        forbid (principal, action == Ward::Action::"Encrypt", resource)
        when { context.count + 9223372036854775807 > 0 };"#;
    let set = PolicySet::with(
        &[PolicyText {
            name: "broken.cedar",
            text,
        }],
        1,
    )
    .unwrap();
    let no = ask(&Engine::new(set), &operator(), Action::Encrypt, key("x")).unwrap_err();
    assert_eq!(no.because, DeniedBecause::Evaluation);
}

#[test]
fn faulty_policies_are_refused_with_what_to_mend() {
    let check = |text: &str, expected: &str| {
        let added = [PolicyText {
            name: "x.cedar",
            text,
        }];
        let error = PolicySet::with(&added, 1)
            .err()
            .expect("is refused")
            .to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("permit (", "x.cedar does not parse");
    check("permit (principal, action, resource);", "has no @id");
    check(
        r#"@id("operator-invites") permit (principal, action, resource);"#,
        "is taken",
    );
    check(
        r#"@id("a") permit (principal, action == Ward::Action::"Fly", resource);"#,
        "does not fit the schema",
    );
    check(
        r#"@id("a") permit (principal is Ward::Device, action == Ward::Action::"Decrypt", resource);"#,
        "does not fit the schema",
    );
    check(
        r#"@id("a") permit (principal, action, resource is Ward::Key) when { resource.colour == 1 };"#,
        "does not fit the schema",
    );
    check(
        r#"@id("a") permit (principal == ?principal, action, resource);"#,
        "template",
    );
}

#[test]
fn ids_are_data_and_never_syntax() {
    let id = r#"a" || true ||"#;
    assert!(!allows(&app(id), Action::Encrypt, key("app/b/x")));
    let name = format!("app/{id}/x");
    assert!(allows(&app(id), Action::Encrypt, key(&name)));
    let uid = cedar_policy::EntityUid::from_str(r#"Ward::App::"a""#).unwrap();
    assert_eq!(uid.id().unescaped(), "a");
}

#[test]
fn gateway_roles_are_read_as_written() {
    for role in [GatewayRole::Edge, GatewayRole::Core] {
        assert_eq!(GatewayRole::parse(role.name()), Some(role));
    }
    assert_eq!(GatewayRole::parse("Edge"), None);
}
