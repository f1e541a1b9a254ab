//! An application may do what a policy permits, from the answer on: the example of the operating
//! guide, put by an operator.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::archive::{listed, message, send_messages};
use crate::harness::{Stack, WARD, free_address, refused, succeeded, wait_for};
use crate::servers::Server;

/// The fenced block of the operating guide that is Cedar.
fn example() -> String {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operating.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let (_, from) = guide.split_once("cat > portal.cedar <<'END'\n").unwrap();
    let (example, _) = from.split_once("END\n").unwrap();
    example.to_owned()
}

/// An application of this id that has entered the cluster.
pub(crate) fn application(stack: &Stack, id: &str) -> PathBuf {
    entered(stack, "app", id)
}

/// The folder of an identity that the stack's operator invited, and that has entered the cluster.
pub(crate) fn entered(stack: &Stack, role: &str, id: &str) -> PathBuf {
    let token = stack.json(&["token", "create", "--role", role, "--id", id]);
    let word = |name: &str| token[name].as_str().unwrap().to_owned();
    let out = stack.dir().join(id);
    let entered = Command::new(WARD)
        .args(["enroll", "--endpoint", &word("endpoint")])
        .args(["--ca-sha256", &word("ca_sha256"), "--token", &word("token")])
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(entered.status.success(), "{entered:?}");
    out
}

fn put(stack: &Stack, name: &str, text: &str) -> Output {
    let file = stack.dir().join(name);
    std::fs::write(&file, text).unwrap();
    stack.ward(&["--output", "json", "policy", "put", file.to_str().unwrap()])
}

#[test]
fn an_application_may_do_what_a_policy_permits() {
    let hl7 = Server::hl7();
    let monitor = free_address();
    let route = format!("mon-1:hl7@{monitor}={}", hl7.address);
    let stack = Stack::up(&["--nodes", "1", "--route", &route]);
    stack.json(&["key", "create", "lab"]);
    send_messages(monitor, &[message(1)]);
    let objects = wait_for("both objects", || {
        let objects = listed(&stack);
        (objects.len() == 2).then_some(objects)
    });
    let object = objects[0]["object_id"].as_str().unwrap().to_owned();
    let portal = application(&stack, "portal");
    let archive = stack.dir().join("core/archive");
    let as_portal = |arguments: &[&str], input: &[u8]| {
        let mut all = vec!["--data-dir", portal.to_str().unwrap()];
        all.extend(["--archive-dir", archive.to_str().unwrap()]);
        all.extend(arguments);
        stack.ward_with(&all, input)
    };
    let (encrypt, get) = (["encrypt", "--key", "lab"], ["archive", "get", &object]);
    for denied in [&encrypt[..], &get, &["policy", "list"]] {
        assert_eq!(refused(&as_portal(denied, b"note")), "DENIED", "{denied:?}");
    }
    assert_eq!(refused(&as_portal(&["archive", "verify"], b"")), "DENIED");

    let output = succeeded(&["policy", "put"], put(&stack, "portal.cedar", &example()));
    let answer: Value = serde_json::from_slice(&output).unwrap();
    assert_eq!(
        (&answer["id"], &answer["revision"]),
        (&"portal".into(), &1.into())
    );
    let sealed = succeeded(&encrypt, as_portal(&encrypt, b"note"));
    let opened = succeeded(&["decrypt"], as_portal(&["decrypt"], &sealed));
    assert_eq!(opened, b"note");
    succeeded(&get, as_portal(&get, b""));
    // Policies are the operators'.
    assert_eq!(refused(&as_portal(&["policy", "list"], b"")), "DENIED");

    let shown = ["policy", "show", "portal"];
    let shown = succeeded(&shown, stack.ward(&shown));
    assert_eq!(String::from_utf8(shown).unwrap(), example());
    let recorded = stack.ward(&["--output", "json", "audit", "tail", "--lines", "100"]);
    let recorded = String::from_utf8(succeeded(&["audit"], recorded)).unwrap();
    assert!(recorded.contains("PutPolicy"), "{recorded}");

    // A text without policies takes it back.
    succeeded(&["policy", "put"], put(&stack, "portal.cedar", "// none\n"));
    assert_eq!(refused(&as_portal(&encrypt, b"note")), "DENIED");
    assert_eq!(stack.json(&["policy", "list"])[0]["revision"], 2);
}

#[test]
fn a_policy_that_cannot_be_meant_is_refused_with_its_line() {
    let stack = Stack::up(&["--nodes", "1"]);
    let unknown = "\n\n@id(\"x\")\npermit (principal is Ward::Nurse, action, resource);\n";
    let syntax = "@id(\"x\")\npermit (principal, action, resource;\n";
    let too_wide = "@id(\"x\")\nforbid (principal, action, resource);\n";
    let holiday = "@id(\"x\")\nforbid (principal, action, resource)\n\
                   unless { action == Ward::Action::\"PutPolicy\" };\n";
    // Levels that the parser's stack would not hold.
    let deep = format!(
        "@id(\"x\")\npermit (principal, action, resource) when {{ {}true{} }};\n",
        "(".repeat(10_000),
        ")".repeat(10_000)
    );
    for (text, told) in [
        (holiday, "you could not renew your certificate"),
        (&deep, "line 2: brackets are nested more than 20 deep"),
        (unknown, "line 4"),
        (syntax, "line 2"),
        ("permit (principal, action, resource);", "@id"),
        (too_wide, "you could change no policy any more"),
    ] {
        let output = put(&stack, "x.cedar", text);
        assert_eq!(refused(&output), "INVALID_ARGUMENT", "{text}");
        let talk = String::from_utf8(output.stderr).unwrap();
        assert!(talk.contains(told), "{told} in {talk}");
    }
    assert_eq!(stack.json(&["policy", "list"]), serde_json::json!([]));
    assert_eq!(stack.reason(&["policy", "show", "x"]), "INVALID_ARGUMENT");
}

const WHY: [&str; 6] = ["policy", "why", "app:portal", "Encrypt", "--key", "lab"];

/// A policy that lets the application encrypt under one context.
fn draft(stack: &Stack) -> String {
    let text = "@id(\"portal-encrypts\")\npermit (principal == Ward::App::\"portal\", action == \
                Ward::Action::\"Encrypt\", resource == Ward::Key::\"lab\")\nwhen { \
                context.encryption.hasTag(\"ward\") };\n";
    file(stack, "portal.cedar", text)
}

fn file(stack: &Stack, name: &str, text: &str) -> String {
    let path = stack.dir().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn decisions_are_explained_with_and_without_a_draft() {
    let stack = Stack::up(&["--nodes", "1"]);
    stack.json(&["key", "create", "lab"]);
    let denied = stack.json(&WHY);
    assert_eq!(denied["allowed"], false);
    assert_eq!(denied["policies"], serde_json::json!([]));
    let draft = draft(&stack);
    let drafted = [&WHY[..], &["--draft", &draft]].concat();
    let elsewhere = stack.json(&drafted);
    assert_eq!(elsewhere["allowed"], false, "the context is another");
    let drafted = [&drafted[..], &["--context", "ward=3b"]].concat();
    let allowed = stack.json(&drafted);
    assert_eq!(allowed["allowed"], true);
    assert_eq!(allowed["policies"], serde_json::json!(["portal-encrypts"]));
    let stored = stack.json(&["policy", "list"]);
    assert_eq!(stored, serde_json::json!([]), "a draft stays one");

    // What forbids wins, and is named.
    let opens = ["policy", "why", "gateway:core-1", "UnwrapDataKey"];
    let opens = [&opens[..], &["--key", "device/mon-1"]].concat();
    let forbidden = stack.json(&opens);
    let names = serde_json::json!(["ward:gateway-never-opens"]);
    assert_eq!(forbidden["policies"], names);
    let built_in = succeeded(&["policy", "built-in"], stack.ward(&["policy", "built-in"]));
    let built_in = String::from_utf8(built_in).unwrap();
    assert!(built_in.contains("@id(\"ward:gateway-never-opens\")"));
    let impossible = stack.json(&["policy", "why", "device:mon-1", "PutPolicy"]);
    let because = impossible["because"].as_str().unwrap();
    assert!(because.contains("no such request"), "{because}");
}

#[test]
fn decisions_that_are_written_down_are_tried() {
    let stack = Stack::up(&["--nodes", "1"]);
    let cases = file(
        &stack,
        "cases.toml",
        "[[case]]\nas = \"app:portal\"\naction = \"Encrypt\"\nkey = \"lab\"\n\
         context = { ward = \"3b\" }\nallowed = true\n\
         [[case]]\nas = \"operator:admin\"\naction = \"CreateJoinToken\"\n\
         invites = \"app\"\nallowed = true\n\
         [[case]]\nas = \"app:portal\"\naction = \"DescribeDevice\"\ndevice = \"mon-1\"\n\
         allowed = false\n",
    );
    let test = ["policy", "test", &cases];
    assert_eq!(stack.reason(&test), "CHECK_FAILED");
    let output = stack.ward(&test);
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(table.matches("NOT ").count(), 1, "{table}");
    let draft = draft(&stack);
    let test = [&test[..], &["--draft", &draft]].concat();
    succeeded(&test, stack.ward(&test));
}

#[test]
fn a_decision_that_nobody_could_ask_for_is_refused() {
    let stack = Stack::up(&["--nodes", "1"]);
    let why = ["policy", "why", "app:portal"];
    for (mistake, told) in [
        (
            &["policy", "why", "app:Portal", "Encrypt"][..],
            "lower-case",
        ),
        (&[&why[..], &["Open"]].concat(), "no such action"),
        (
            &[&why[..], &["Encrypt", "--key", "a b"]].concat(),
            "a key's name",
        ),
    ] {
        let output = stack.ward(mistake);
        assert_eq!(refused(&output), "INVALID_ARGUMENT", "{mistake:?}");
        let talk = String::from_utf8(output.stderr).unwrap();
        assert!(talk.contains(told), "{told} in {talk}");
    }
    let unknown = file(&stack, "unknown.toml", "[[case]]\nwho = \"app:portal\"\n");
    let test = ["policy", "test", &unknown];
    assert_eq!(stack.reason(&test), "INVALID_ARGUMENT");
    let portal = application(&stack, "portal");
    let as_portal = [&["--data-dir", portal.to_str().unwrap()], &WHY[..]].concat();
    assert_eq!(refused(&stack.ward_with(&as_portal, b"")), "DENIED");
}
