//! What a decision says, what added policies can do, and which are refused.

use std::str::FromStr;

use super::*;

#[test]
fn a_decision_names_its_policies_and_its_epoch() {
    let engine = Engine::new(PolicySet::built_in(41).unwrap());
    let yes = ask(&engine, &operator(), Action::UnwrapDataKey, device_key()).unwrap();
    assert_eq!(yes.policies(), ["ward:operator-opens-data-keys"]);
    assert_eq!(
        (yes.action(), yes.resource()),
        (Action::UnwrapDataKey, "device/mon-1")
    );
    assert_eq!(yes.policy_epoch(), 41);
    assert!(yes.covers(Action::UnwrapDataKey, "device/mon-1"));
    assert!(!yes.covers(Action::Decrypt, "device/mon-1"));
    assert!(!yes.covers(Action::UnwrapDataKey, "device/mon-2"));

    let no = ask(&engine, &core(), Action::UnwrapDataKey, device_key()).unwrap_err();
    assert_eq!(*no.policies, ["ward:gateway-never-opens"]);
    assert_eq!(no.because, DeniedBecause::Forbidden);
    let no = ask(&engine, &app("a"), Action::Encrypt, key("x")).unwrap_err();
    assert!(no.policies.is_empty());
    assert_eq!(no.because, DeniedBecause::NoPolicy);
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
            circumstances: Circumstances::default(),
        })
    };
    assert!(unwrap(&[("study", "7")]).is_err());

    engine.keep_at(5, || PolicySet::with(&added, 5)).unwrap();

    assert_eq!(engine.epoch(), 5);
    // Whoever read an older epoch meanwhile loads nothing, and takes nothing back.
    let older = engine.keep_at(4, || -> Result<_, PolicyError> { panic!("loaded") });
    older.unwrap();
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
fn a_policy_needs_the_format_of_the_newest_action_that_it_names() {
    let check = |policy: &str, expected: u32| {
        let text = format!("@id(\"a\") {policy};");
        let added = [PolicyText {
            name: "x.cedar",
            text: &text,
        }];
        let set = PolicySet::with(&added, 1).unwrap();
        assert_eq!(set.format().unwrap(), expected, "{policy}");
    };
    check("permit (principal, action, resource)", 1);
    check(
        r#"permit (principal, action == Ward::Action::"Encrypt", resource)"#,
        1,
    );
    check(
        r#"permit (principal, action == Ward::Action::"Sign", resource)"#,
        2,
    );
    check(
        r#"permit (principal, action in [Ward::Action::"Encrypt", Ward::Action::"PutAlias"], resource)"#,
        2,
    );
    check(
        r#"forbid (principal, action, resource) when { action == Ward::Action::"GenerateRandom" }"#,
        2,
    );
    // What is only called like one is none.
    check(
        r#"permit (principal == Ward::App::"Sign", action, resource)"#,
        1,
    );
    // The built-in ones are those of each node's own program.
    assert_eq!(PolicySet::built_in(0).unwrap().format().unwrap(), 1);
}

#[test]
fn the_built_in_policies_have_names_that_no_added_one_can_have() {
    let set = PolicySet::built_in(0).unwrap();
    for policy in set.policies.policies() {
        let id: &str = policy.id().as_ref();
        assert!(id.starts_with("ward:"), "{id}");
    }
    // What stands in the state is never refused for its name alone.
    let stored = [PolicyText {
        name: "x.cedar",
        text: r#"@id("ward:anything") permit (principal, action, resource);"#,
    }];
    assert!(PolicySet::stored(&stored, 1).is_ok());
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
        r#"@id("ward:operator-invites") permit (principal, action, resource);"#,
        "begins with ward:, as Ward's own; choose another",
    );
    check(
        r#"@id("ward:not-yet-one") permit (principal, action, resource);"#,
        "begins with ward:",
    );
    check(
        r#"@id("a") permit (principal, action, resource); @id("a") permit (principal, action, resource);"#,
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
fn what_is_remembered_is_what_was_decided_and_dies_with_its_policies() {
    let engine = engine();
    for _ in 0..2 {
        let yes = ask(&engine, &operator(), Action::Decrypt, device_key()).unwrap();
        assert_eq!(yes.policies(), ["ward:operator-decrypts"]);
        let no = ask(&engine, &core(), Action::Decrypt, device_key()).unwrap_err();
        assert_eq!(*no.policies, ["ward:gateway-never-opens"]);
    }
    let text = r#"@id("stop") forbid (principal, action == Ward::Action::"Decrypt", resource);"#;
    let stop = PolicyText {
        name: "stop.cedar",
        text,
    };
    engine.keep_at(1, || PolicySet::with(&[stop], 1)).unwrap();
    let no = ask(&engine, &operator(), Action::Decrypt, device_key()).unwrap_err();
    assert_eq!(*no.policies, ["stop"]);
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

#[test]
fn a_warning_keeps_a_policy_from_being_put_and_nobody_out_once_it_stands() {
    let text = r#"@id("never") forbid (principal, action, resource) when { false };"#;
    let never = [PolicyText { name: "x", text }];
    let error = PolicySet::with(&never, 1).map(drop).unwrap_err();
    assert!(matches!(error, PolicyError::Schema { .. }), "{error}");
    let engine = Engine::new(PolicySet::stored(&never, 1).unwrap());
    let asked = ask(&engine, &operator(), Action::Decrypt, device_key());
    assert!(asked.is_ok());
}

#[test]
fn policies_that_are_warned_of_can_be_replaced_one_by_one() {
    let forbid = |id: &str, condition: &str| {
        format!("@id(\"{id}\") forbid (principal, action, resource) when {{ {condition} }};")
    };
    let put = |text: &str| {
        let name = "stands";
        let stands = forbid(name, "false");
        let stands = [PolicyText {
            name,
            text: &stands,
        }];
        PolicySet::put(PolicyText { name: "new", text }, &stands, 1).map(drop)
    };
    put(&forbid("new", "principal is Ward::App")).unwrap();
    let warned_of = put(&forbid("new", "false")).unwrap_err();
    assert!(
        matches!(warned_of, PolicyError::Schema { .. }),
        "{warned_of}"
    );
    let taken = put(&forbid("stands", "principal is Ward::App")).unwrap_err();
    assert!(matches!(taken, PolicyError::Taken { .. }), "{taken}");
}

#[test]
fn a_set_is_loaded_once_however_many_need_it() {
    let engine = engine();
    let loads = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let load = || {
                    loads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    PolicySet::built_in(7)
                };
                engine.keep_at(7, load).unwrap();
                assert_eq!(engine.epoch(), 7);
            });
        }
    });
    assert_eq!(loads.into_inner(), 1);
}
