//! What takes two operators, and what ends by itself, with the tool.

use std::path::Path;
use std::process::Output;

use crate::harness::{Stack, refused, succeeded, wait_for};
use crate::policies::{application, entered};

const SECOND: &str = r#"
@id("second-operator")
forbid (principal, action == Ward::Action::"PutPolicy", resource) unless { context.approved };
"#;

const LAB: &str = r#"
// For the laboratory.
@id("lab")
permit (principal == Ward::App::"lab", action == Ward::Action::"ListKeys", resource);
"#;

fn ward_as(stack: &Stack, folder: &Path, arguments: &[&str]) -> Output {
    let mut all = vec!["--data-dir", folder.to_str().unwrap()];
    all.extend(arguments);
    stack.ward(&all)
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_policy_is_put_by_one_operator_and_approved_by_another() {
    let stack = Stack::up(&["--nodes", "1"]);
    let bob = entered(&stack, "operator", "bob");
    let file = |name: &str, text: &str| {
        let file = stack.dir().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (second, lab) = (file("second.cedar", SECOND), file("lab.cedar", LAB));
    // Whoever began the cluster invited bob: bob could approve nothing of theirs.
    assert_eq!(
        stack.reason(&["policy", "put", &second]),
        "INVALID_ARGUMENT"
    );
    let put_second = ["policy", "put", &*second];
    succeeded(&put_second, ward_as(&stack, &bob, &put_second));

    let put = ["policy", "put", &*lab];
    let output = ward_as(&stack, &bob, &put);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(refused(&output), "APPROVAL_REQUIRED");
    let listed = stack.json(&["approval", "list"]);
    let id = listed[0]["id"].as_str().unwrap().to_owned();
    assert!(told.contains(&format!("ward approve {id}")), "{told}");
    assert_eq!(listed[0]["proposer"], "bob");
    assert_eq!(listed[0]["request"], "PutPolicy");

    let shown = stack.ward(&["approval", "show", &id[..8]]);
    let shown = text(&shown);
    for line in [
        "operator bob asks: PutPolicy lab",
        "policy_id: lab",
        "  | // For the laboratory.",
        "  | permit (principal == Ward::App::\"lab\"",
    ] {
        assert!(shown.contains(line), "{line} is not in {shown}");
    }

    // Nobody is asked where nobody types, and nobody approves their own.
    let blind = ["approve", &*id];
    let output = stack.ward(&blind);
    assert_eq!(refused(&output), "INVALID_ARGUMENT");
    assert!(String::from_utf8_lossy(&output.stderr).contains("--yes"));
    let approve = ["approve", &*id, "--yes"];
    assert_eq!(refused(&ward_as(&stack, &bob, &approve)), "DENIED");
    succeeded(&approve, stack.ward(&approve));

    let output = succeeded(&put, ward_as(&stack, &bob, &put));
    assert!(String::from_utf8(output).unwrap().contains("revision 1"));
    assert_eq!(refused(&ward_as(&stack, &bob, &put)), "APPROVAL_REQUIRED");
    let reject = ["approval", "reject", &*id];
    succeeded(&reject, stack.ward(&reject));
    assert_eq!(stack.reason(&approve), "INVALID_ARGUMENT");

    check_told(&stack, &id);
}

/// What an operator is told beforehand, and an auditor afterwards.
fn check_told(stack: &Stack, id: &str) {
    let why = ["policy", "why", "operator:bob", "PutPolicy"];
    let decided = stack.json(&why);
    assert_eq!(decided["allowed"], false);
    assert_eq!(decided["policies"][0], "second-operator");
    assert!(
        decided["because"]
            .as_str()
            .unwrap()
            .contains("ward approve")
    );
    let decided = stack.json(&[&why[..], &["--approved"]].concat());
    assert_eq!(decided["allowed"], true);

    // An auditor finds who asked, who approved, and the signature.
    let tail = stack.ward(&["--output", "json", "audit", "tail", "--lines", "200"]);
    let tail = text(&tail);
    assert!(tail.contains("APPROVAL_REQUIRED"), "{tail}");
    assert!(tail.contains("signature="), "{tail}");
    assert!(
        tail.contains(&format!("approval/{id} by operator/")),
        "{tail}"
    );
}

#[test]
fn a_grant_ends_by_itself() {
    let stack = Stack::up(&["--nodes", "1"]);
    let portal = application(&stack, "portal");
    stack.json(&["key", "create", "lab"]);
    let describe = ["key", "describe", "lab"];
    assert_eq!(refused(&ward_as(&stack, &portal, &describe)), "DENIED");

    let grant = [
        "policy",
        "grant",
        "app:portal",
        "--action",
        "DescribeKey",
        "--key",
        "lab",
    ];
    let long = [&grant[..], &["--for", "8h"]].concat();
    let granted = stack.json(&long);
    assert_eq!(granted["id"], "grant-app-portal");
    succeeded(&describe, ward_as(&stack, &portal, &describe));
    let listed = text(&stack.ward(&["policy", "list"]));
    assert!(
        listed.contains("grant-app-portal") && listed.contains("Z"),
        "{listed}"
    );

    // The same grant, for a second: it is over by itself, and its name is free.
    let short = [&grant[..], &["--for", "1s"]].concat();
    stack.json(&short);
    wait_for("the grant's end", || {
        let output = ward_as(&stack, &portal, &describe);
        (!output.status.success()).then(|| assert_eq!(refused(&output), "DENIED"))
    });
    wait_for("an empty list", || {
        let listed = stack.json(&["policy", "list"]);
        (listed.as_array().unwrap().is_empty()).then_some(())
    });

    let forever = [&grant[..], &["--for", "8h", "--id", "portal"]].concat();
    stack.json(&forever);
    let delete = ["policy", "delete", "portal"];
    succeeded(&delete, stack.ward(&delete));
    assert_eq!(refused(&ward_as(&stack, &portal, &describe)), "DENIED");
    assert_eq!(stack.reason(&delete), "INVALID_ARGUMENT");
}
