//! What policies see beside what is asked: the clock, labels, an approval.

use super::*;
use crate::state::Labels;

fn with(text: &str) -> Engine {
    let text = PolicyText { name: "x", text };
    Engine::new(PolicySet::with(&[text], 1).unwrap())
}

fn format_of(text: &str) -> u32 {
    let text = PolicyText { name: "x", text };
    PolicySet::with(&[text], 1).unwrap().format().unwrap()
}

fn at(now_ms: u64, approved: bool) -> Circumstances {
    Circumstances { now_ms, approved }
}

fn put_policy(engine: &Engine, circumstances: Circumstances) -> Result<Authorized, Denied> {
    engine.authorize(&Request {
        principal: &operator(),
        action: Action::PutPolicy,
        resource: Resource::Cluster,
        facts: Facts::None,
        circumstances,
    })
}

const FREEZE: &str = r#"@id("freeze") forbid (
    principal, action == Ward::Action::"PutPolicy", resource
) when {
    context.now >= datetime("2026-12-24T00:00:00Z") &&
    context.now < datetime("2026-12-27T00:00:00Z")
};"#;

const SECOND: &str = r#"@id("second") forbid (
    principal, action == Ward::Action::"PutPolicy", resource
) unless { context.approved };"#;

const LABELLED: &str = r#"@id("west") permit (
    principal == Ward::App::"viewer", action == Ward::Action::"Sign", resource
) when { resource.hasTag("site") && resource.getTag("site") == "west" };"#;

#[test]
fn a_policy_holds_for_a_time_and_no_answer_is_remembered_past_it() {
    let engine = with(FREEZE);
    // 2026-12-24T00:00:00Z and 2026-12-27T00:00:00Z.
    let (from, until) = (1_798_070_400_000, 1_798_329_600_000);
    for (now_ms, permitted) in [
        (0, true),
        (from - 1, true),
        (from, false),
        (until - 1, false),
        (until, true),
        (from - 1, true),
    ] {
        let decided = put_policy(&engine, at(now_ms, false));
        assert_eq!(decided.is_ok(), permitted, "{now_ms}");
    }
}

#[test]
fn a_time_that_cannot_be_written_denies_rather_than_permits() {
    let engine = with(FREEZE);
    let denied = put_policy(&engine, at(u64::MAX, false)).unwrap_err();
    assert_eq!(denied.because, DeniedBecause::Evaluation);
}

#[test]
fn a_change_may_need_an_approval() {
    let engine = with(SECOND);
    let asked = |approved| Request {
        principal: &OPERATOR,
        action: Action::PutPolicy,
        resource: Resource::Cluster,
        facts: Facts::None,
        circumstances: at(0, approved),
    };
    static OPERATOR: std::sync::LazyLock<Principal> = std::sync::LazyLock::new(operator);
    let denied = engine.authorize(&asked(false)).unwrap_err();
    assert_eq!(denied.because, DeniedBecause::Forbidden);
    assert_eq!(*denied.policies, ["second"]);
    assert!(engine.would_permit_approved(&asked(false)));
    assert!(engine.authorize(&asked(true)).is_ok());
    // Approved or not, nobody is permitted what no policy permits.
    let stranger = app("viewer");
    let request = Request {
        principal: &stranger,
        ..asked(false)
    };
    assert!(!engine.would_permit_approved(&request));
}

#[test]
fn what_takes_away_cannot_be_made_to_wait() {
    for action in [
        "ContainDevice",
        "RevokeDevice",
        "DisableKey",
        "RevokeGateway",
    ] {
        let text = format!(
            r#"@id("x") forbid (principal, action == Ward::Action::"{action}", resource)
            unless {{ context.approved }};"#
        );
        let text = PolicyText {
            name: "x",
            text: &text,
        };
        let refused = PolicySet::with(&[text], 1);
        assert!(
            matches!(refused, Err(PolicyError::Schema { .. })),
            "{action}"
        );
    }
}

#[test]
fn the_schema_and_the_program_agree_on_what_is_a_change() {
    for action in Action::ALL {
        let name = action.name();
        let text = format!(
            r#"@id("x") forbid (principal, action == Ward::Action::"{name}", resource)
            unless {{ context.approved }};"#
        );
        let text = PolicyText {
            name: "x",
            text: &text,
        };
        let accepted = PolicySet::with(&[text], 1).is_ok();
        assert_eq!(accepted, action.is_change(), "{action}");
    }
}

#[test]
fn labels_decide() {
    let engine = with(LABELLED);
    let may = |labels: &[(&str, &str)]| {
        let labels: Labels = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let resource = Resource::Key {
            name: "lab",
            device: None,
            labels: Some(&labels),
        };
        ask(&engine, &app("viewer"), Action::Sign, resource).is_ok()
    };
    assert!(may(&[("site", "west")]));
    assert!(!may(&[("site", "east")]));
    assert!(!may(&[("room", "west")]));
    assert!(!may(&[]));
}

#[test]
fn a_policy_of_the_fourth_format_is_known_by_what_it_speaks_about() {
    for text in [FREEZE, SECOND, LABELLED] {
        assert_eq!(format_of(text), 4, "{text}");
    }
    let older = [
        r#"@id("x") forbid (principal, action == Ward::Action::"PutPolicy", resource);"#,
        r#"@id("x") permit (principal, action == Ward::Action::"Decrypt", resource) when {
            context.encryption.hasTag("now") && resource.name like "approved*"
        };"#,
    ];
    assert_eq!(older.map(format_of), [1, 1]);
    let third = r#"@id("x") forbid (principal, action == Ward::Action::"PutQuota", resource);"#;
    assert_eq!(format_of(third), 3);
}
