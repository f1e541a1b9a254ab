//! What `ward init`, `ward enroll`, `--check` and `ward doctor` say when something is wrong. The
//! way that works is docs/operating.md, which cluster-tests runs.

use std::path::Path;
use std::process::{Command, Output};

use crate::harness::{WARD, refused};

fn ward(arguments: &[&str]) -> Output {
    Command::new(WARD).args(arguments).output().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_check_says_everything_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("node.toml");
    let settings = "data_dir = \"/nonexistent/node\"\n\
                    [listen]\napi = \"192.0.2.1:7100\"\npeer = \"0.0.0.0:7101\"\n\
                    join = \"nowhere\"\nops = \"127.0.0.1:0\"\n\
                    [seal.file]\npath = \"/nonexistent/seal\"\n";
    std::fs::write(&config, settings).unwrap();
    let checked = ward(&["node", "--config", text(&config), "--check"]);
    assert_eq!(refused(&checked), "CHECK_FAILED");
    let said = String::from_utf8(checked.stdout).unwrap();
    for found in [
        "data_dir: /nonexistent/node",
        "root seal: /nonexistent/seal is missing",
        "listen.api: 192.0.2.1:7100 cannot be bound",
        "advertise.peer",
        "listen.join is not usable",
    ] {
        assert!(said.contains(found), "{found} in:\n{said}");
    }
    assert!(said.contains("ok    listen.ops"), "{said}");
    // The doctor says the same, and more.
    let seen = ward(&["doctor", "--config", text(&config), "--output", "json"]);
    assert_eq!(refused(&seen), "CHECK_FAILED");
    let seen: Vec<serde_json::Value> = serde_json::from_slice(&seen.stdout).unwrap();
    for subject in ["clock", "disk", "fsync", "memory", "root seal"] {
        assert!(
            seen.iter().any(|finding| finding["subject"] == subject),
            "{subject} in {seen:?}"
        );
    }
}

#[test]
fn a_check_looks_at_the_ways_to_devices_too() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("gateway.toml");
    let common = "identity_dir = \"i\"\nstate_dir = \"s\"\n[ops]\nlisten = \"127.0.0.1:0\"\n";
    let edge = "[[reverse_route]]\ndevice = \"ct-1\"\nprotocol = \"dicom\"\n\
                target = \"scanner.invalid:104\"\ncore = \"127.0.0.1:7200\"\n\
                core_id = \"core-1\"\nservice = \"images\"\n";
    let core = "[tunnel]\nlisten = \"127.0.0.1:0\"\n[[reverse_listener]]\ndevice = \"ct-1\"\n\
                protocol = \"dicom\"\nlisten = \"192.0.2.1:104\"\nservice = \"images\"\n";
    for (role, ways, findings) in [
        (
            "edge",
            edge,
            [
                "reverse_route[0].device: ct-1 has no certificate",
                "reverse_route[0].target: scanner.invalid:104",
            ],
        ),
        (
            "core",
            core,
            [
                "reverse_listener[0].listen: 192.0.2.1:104 cannot be bound",
                "ok    tunnel.listen",
            ],
        ),
    ] {
        let settings = format!("id = \"{role}-1\"\nrole = \"{role}\"\n{common}{ways}");
        std::fs::write(&config, settings).unwrap();
        let checked = ward(&["gateway", "--config", text(&config), "--check"]);
        assert_eq!(refused(&checked), "CHECK_FAILED");
        let said = String::from_utf8(checked.stdout).unwrap();
        for found in findings {
            assert!(said.contains(found), "{found} in:\n{said}");
        }
        assert!(!said.contains("no device has a route"), "{said}");
    }
}

#[test]
fn a_gateway_that_cannot_start_says_everything_that_is_wrong_with_its_settings() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("gateway.toml");
    let settings = "id = \"A B\"\nrole = \"core\"\nidentity_dir = \"i\"\nstate_dir = \"s\"\n\
                    threads = 0\n[ops]\nlisten = \"127.0.0.1:0\"\n\
                    [tunnel]\nlisten = \"127.0.0.1:0\"\n";
    for (settings, found) in [
        (settings.to_owned(), ["id: ", "threads: "]),
        (
            settings.replace("state_dir", "sate_dir"),
            ["line 4", "sate_dir"],
        ),
    ] {
        std::fs::write(&config, settings).unwrap();
        let refusal = ward(&["gateway", "--config", text(&config)]);
        assert_eq!(refused(&refusal), "INVALID_ARGUMENT");
        let talk = String::from_utf8(refusal.stderr).unwrap();
        assert!(found.iter().all(|found| talk.contains(found)), "{talk}");
    }
}

#[test]
fn a_cluster_is_made_once_and_its_operator_is_told_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("node");
    let init = ["init", "--host", "127.0.0.1", "--out", text(&home)];
    let made = ward(&init);
    assert!(made.status.success(), "{made:?}");
    let said = String::from_utf8(made.stdout).unwrap();
    assert!(said.contains("Keep a copy of the root seal"), "{said}");
    let seal = std::fs::read(home.join("seal/root")).unwrap();
    let endpoints = std::fs::read_to_string(home.join("operator/endpoints.toml")).unwrap();
    assert!(endpoints.contains("127.0.0.1:7100"), "{endpoints}");
    // Again: the same cluster, nothing made anew.
    let again = ward(&init);
    assert!(again.status.success(), "{again:?}");
    assert_eq!(std::fs::read(home.join("seal/root")).unwrap(), seal);
    // For another operator it is refused.
    let other = dir.path().join("other");
    let taken = ward(&[&init[..], &["--operator-out", text(&other)]].concat());
    assert_eq!(refused(&taken), "ALREADY_INITIALISED");
}

#[test]
fn what_is_no_token_is_refused_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("new");
    let hash = "ab".repeat(32);
    let enroll = ward(&[
        "enroll",
        "--endpoint",
        "127.0.0.1:1",
        "--ca-sha256",
        &hash,
        "--token",
        "wardj1.x",
        "--out",
        text(&out),
    ]);
    assert_eq!(refused(&enroll), "TOKEN_INVALID");
    assert!(!out.exists());
}
