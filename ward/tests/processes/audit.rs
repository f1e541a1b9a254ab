//! The audit logs: shown, checked and exported; each kind of change is found, and where.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::forgery::{self, verify_by_python};
use crate::harness::{Stack, reason_of, refused, succeeded, wait_for};

const VERIFY: [&str; 2] = ["audit", "verify"];

/// Waits until every node's log is checked, found sound, and anchored to its end but for what
/// checking itself records.
fn sound(stack: &Stack) -> Value {
    wait_for("sound and anchored logs", || {
        let output = stack.ward(&["--output", "json", "audit", "verify"]);
        let verdict: Value = serde_json::from_slice(&output.stdout).ok()?;
        output.status.success().then_some(verdict)
    })
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The files of a node's log, oldest first.
fn files(stack: &Stack, node: &str) -> Vec<PathBuf> {
    let dir = stack.dir().join(node).join("audit");
    let files = std::fs::read_dir(dir).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// Puts `from` in the place of `to`, whole.
fn copy_folder(from: &Path, to: &Path) {
    drop(std::fs::remove_dir_all(to));
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn three_logs_are_shown_checked_exported_and_every_change_is_found() {
    let mut stack = Stack::up(&[]);
    for node in ["1", "2", "3"] {
        let name = format!("lab-{node}");
        stack.json(&["key", "create", &name]);
        // A node that joined last may not be ready when the others serve.
        wait_for("the node to use the key", || {
            let encrypt = ["encrypt", "--key", &name, "--node", node];
            let output = stack.ward_with(&encrypt, b"x");
            output.status.success().then_some(())
        });
    }
    let verdict = sound(&stack);
    let nodes = verdict["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    for node in nodes {
        assert!(node["anchored_to"].as_u64().unwrap() > 0, "{node}");
        assert!(node["checkpoints"].as_u64().unwrap() > 0, "{node}");
    }
    shows_records(&stack);
    refuses_a_removal(&stack);
    anchored_again(&stack, &verdict);
    exports(&stack, verdict["ca_sha256"][0].as_str().unwrap());
    stack.stop();
    sound(&stack);
    finds_changes(&stack);
    // What was put back is whole again, and the cluster goes on with it.
    sound(&stack);
    stack.start();
    sound(&stack);
}

/// Has node 1 record more, and waits until that is anchored too: a log of several anchors.
fn anchored_again(stack: &Stack, before: &Value) {
    let of_one = |verdict: &Value| {
        let nodes = verdict["nodes"].as_array().unwrap();
        let node = nodes.iter().find(|node| node["node"] == "node-1").unwrap();
        node["anchored_to"].as_u64().unwrap()
    };
    stack.json(&["key", "describe", "lab-1", "--node", "1"]);
    wait_for("a further anchor", || {
        (of_one(&sound(stack)) > of_one(before)).then_some(())
    });
}

fn shows_records(stack: &Stack) {
    let lines = |arguments: &[&str]| {
        let output = succeeded(arguments, stack.ward(arguments));
        String::from_utf8(output).unwrap()
    };
    let all = lines(&["audit", "tail", "--lines", "1000", "--output", "json"]);
    let records: Vec<Value> = all
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    let made = records.iter().filter(|it| it["action"] == "CreateKey");
    assert!(made.clone().count() >= 3, "{all}");
    assert!(made.clone().all(|it| it["outcome"] == "allowed"));
    let of_two = lines(&["audit", "tail", "--node", "2"]);
    assert!(of_two.lines().count() <= 20);
    assert!(
        of_two.lines().all(|line| line.contains(" node-2 ")),
        "{of_two}"
    );
    assert!(
        of_two.contains("ReadAudit"),
        "reading is recorded: {of_two}"
    );
}

/// Leaves a record that says `RemoveNode` and removed nobody: no log may vanish for it.
fn refuses_a_removal(stack: &Stack) {
    let stays =
        r#"@id("stays") forbid (principal, action == Ward::Action::"RemoveNode", resource);"#;
    let file = stack.dir().join("stays.cedar");
    std::fs::write(&file, stays).unwrap();
    stack.json(&["policy", "put", file.to_str().unwrap()]);
    assert_eq!(stack.reason(&["node", "remove", "3"]), "DENIED");
}

fn exports(stack: &Stack, ca_sha256: &str) {
    let out = stack.dir().join("audit.ward");
    let export = ["audit", "export", "--out", out.to_str().unwrap()];
    succeeded(&export, stack.ward(&export));
    let to_stdout = ["audit", "export", "--out", "-"];
    assert!(succeeded(&to_stdout, stack.ward(&to_stdout)).ends_with(b"{\"kind\":\"end\"}\n"));
    let verify = |path: &Path, ca: &str| {
        let path = path.to_str().unwrap();
        stack.ward(&["audit", "verify", "--export", path, "--ca-sha256", ca])
    };
    succeeded(&VERIFY, verify(&out, ca_sha256));
    assert_eq!(refused(&verify(&out, &"0".repeat(64))), "AUDIT_BROKEN");
    if let Some(output) = verify_by_python(&[out.to_str().unwrap(), ca_sha256]) {
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{told}{}", said(&output));
        assert!(told.contains("node 3: "), "{told}");
    }
    if let Some(output) = verify_by_python(&[out.to_str().unwrap(), &"0".repeat(64)]) {
        assert_eq!(
            output.status.code(),
            Some(1),
            "another authority is not believed"
        );
    }

    if let Some(output) = verify_by_python(&[]) {
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).starts_with("usage: "), "{}", said(&output));
    }

    let whole = std::fs::read(&out).unwrap();
    forgery::are_found(stack, &whole, ca_sha256);
    let flipped = replace_once(&whole, b"\"CreateKey\"", b"\"CreateKez\"");
    for (change, bytes) in [
        ("flipped", &flipped[..]),
        ("cut", &whole[..whole.len() - 40]),
    ] {
        let path = stack.dir().join(change);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(
            refused(&verify(&path, ca_sha256)),
            "AUDIT_BROKEN",
            "{change}"
        );
        if let Some(output) = verify_by_python(&[path.to_str().unwrap()]) {
            assert_eq!(output.status.code(), Some(1), "{change}: {}", said(&output));
        }
    }
}

fn replace_once(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|it| it == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// Does harm to the files of a stopped cluster, one kind after the other.
fn finds_changes(stack: &Stack) {
    let (one, two) = (
        stack.dir().join("node-1/audit"),
        stack.dir().join("node-2/audit"),
    );
    let kept = stack.dir().join("kept");
    copy_folder(&two, &kept);
    let path = files(stack, "node-2").remove(0);
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let write = |lines: &[&str]| std::fs::write(&path, lines.concat()).unwrap();
    let found = |words: &[&str]| {
        let output = stack.ward(&VERIFY);
        assert_eq!(refused(&output), "AUDIT_BROKEN");
        for word in words {
            assert!(said(&output).contains(word), "{word}: {}", said(&output));
        }
        copy_folder(&kept, &two);
    };

    let call = lines
        .iter()
        .position(|line| line.contains("\"call\""))
        .unwrap();
    let flipped = lines[call].replace("\"allowed\"", "\"denied\"");
    let mut changed = lines.clone();
    changed[call] = &flipped;
    write(&changed);
    found(&["node-2", &name, &format!("record {} was changed", call + 1)]);

    write(&lines[..lines.len() / 2]);
    found(&["node-2", &name, "was cut"]);

    let mut swapped = lines.clone();
    swapped.swap(call, call + 1);
    write(&swapped);
    found(&["node-2", &name, "was expected"]);

    std::fs::remove_file(&path).unwrap();
    found(&["node-2", "was cut"]);

    std::fs::remove_dir_all(&two).unwrap();
    found(&["node-2", "is gone"]);

    copy_folder(&one, &two);
    found(&["node-2", "not bound to this node"]);

    let folder = stack.dir().join("node-1");
    let alone = ["audit", "verify", "--files", folder.to_str().unwrap()];
    let told = String::from_utf8(succeeded(&alone, stack.ward(&alone))).unwrap();
    for other in [2, 3] {
        let sentence = format!("node {other} is not in this evidence");
        assert!(told.contains(&sentence), "{told}");
    }
    let nothing = stack.dir().join("operator");
    let reason = stack.reason(&["audit", "verify", "--files", nothing.to_str().unwrap()]);
    assert_eq!(reason, "NO_CLUSTER");
}

#[test]
fn a_log_that_was_put_back_while_its_node_was_stopped_is_told_for_good() {
    let mut stack = Stack::up(&["--nodes", "1"]);
    let audit = stack.dir().join("node-1/audit");
    stack.json(&["key", "create", "before"]);
    sound(&stack);
    stack.stop();
    let kept = stack.dir().join("kept");
    copy_folder(&audit, &kept);
    stack.start();
    stack.json(&["key", "create", "to-be-forgotten"]);
    sound(&stack);
    stack.stop();

    copy_folder(&kept, &audit);
    assert_eq!(stack.reason(&VERIFY), "AUDIT_BROKEN");
    // The node goes on, with the signing key; what it signs now is on another branch.
    stack.start();
    stack.json(&["key", "create", "after"]);
    let told = wait_for("the fork", || {
        let output = stack.ward(&VERIFY);
        let verdict = String::from_utf8_lossy(&output.stdout).into_owned();
        verdict.contains("no longer held").then_some(said(&output))
    });
    assert_eq!(reason_of(&told), "AUDIT_BROKEN");
}
