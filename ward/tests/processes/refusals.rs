//! What is refused before anything runs: wrong usage, and directories that are not for us.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::harness::{Stack, WARD, reason_of, refused, skip};

fn code(arguments: &[&str]) -> Option<i32> {
    let output = Command::new(WARD).args(arguments).output().unwrap();
    assert!(output.stdout.is_empty(), "{arguments:?}");
    output.status.code()
}

#[test]
fn wrong_usage_exits_with_2() {
    for arguments in [
        &["up", "--route", "mon-1:hl7@127.0.0.1=127.0.0.1:1"][..],
        &["up", "--route", "mon-1:mqtt@127.0.0.1:1=127.0.0.1:2"],
        &["up", "--nodes", "0"],
        &["key", "create"],
        &["frobnicate"],
        &["encrypt", "--key", "k", "--context", "x"],
    ] {
        assert_eq!(code(arguments), Some(2), "{arguments:?}");
    }
}

#[test]
fn a_protocol_that_comes_later_is_refused_by_name() {
    let route = "mon-1:mqtt@127.0.0.1:1=127.0.0.1:2";
    let output = Command::new(WARD)
        .args(["up", "--route", route])
        .output()
        .unwrap();
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains("`mqtt` is not there yet"), "{talk}");
}

#[test]
fn a_port_in_use_is_refused_with_its_route() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let route = format!("mon-1:tcp@{}=192.0.2.1:1", holder.local_addr().unwrap());
    let stack = Stack::new(&["--nodes", "1", "--route", &route]);
    let (status, talk) = stack.refused();
    assert_eq!(status.code(), Some(1));
    assert_eq!(reason_of(&talk), "PORT_IN_USE");
    assert!(talk.contains(&route), "{talk}");
    assert!(!stack.is_ready());
    assert!(!stack.dir().exists(), "nothing was made");
}

#[test]
fn a_newer_directory_is_refused_and_left_as_it_is() {
    let stack = Stack::new(&[]);
    std::fs::create_dir(stack.dir()).unwrap();
    let file = stack.dir().join("cluster.toml");
    std::fs::write(&file, "format_version = 99\n").unwrap();
    let (status, talk) = stack.refused();
    assert_eq!(status.code(), Some(1));
    assert_eq!(reason_of(&talk), "VERSION_NEWER");
    assert_eq!(
        std::fs::read_to_string(file).unwrap(),
        "format_version = 99\n"
    );
}

#[test]
fn a_second_up_is_refused_by_the_lock() {
    let stack = Stack::new(&[]);
    std::fs::create_dir(stack.dir()).unwrap();
    let _held = sys::file::Lock::acquire(&stack.dir().join("ward.lock")).unwrap();
    let (status, talk) = stack.refused();
    assert_eq!(status.code(), Some(1));
    assert_eq!(reason_of(&talk), "LOCKED");
}

#[test]
fn a_verb_without_a_cluster_says_what_to_do() {
    let stack = Stack::new(&[]);
    let output = stack.ward(&["key", "list"]);
    assert_eq!(refused(&output), "NO_CLUSTER");
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains("ward up"), "{talk}");
}

#[test]
fn a_folder_without_a_cluster_is_told_by_every_verb() {
    let stack = Stack::new(&[]);
    let verbs: [&[&str]; 7] = [
        &["key", "list"],
        &["cluster", "status"],
        &["encrypt", "--key", "lab"],
        &["archive", "list"],
        &["archive", "gaps"],
        &["archive", "verify"],
        &["archive", "get", "00000000000000000000000000000000"],
    ];
    for verb in verbs {
        assert_eq!(stack.reason(verb), "NO_CLUSTER", "no folder: {verb:?}");
    }
    std::fs::create_dir(stack.dir()).unwrap();
    for verb in verbs {
        assert_eq!(stack.reason(verb), "NO_CLUSTER", "empty folder: {verb:?}");
    }
    std::fs::write(stack.dir().join("notes.seg"), "not ours").unwrap();
    for verb in verbs {
        assert_eq!(
            stack.reason(verb),
            "NO_CLUSTER",
            "another's folder: {verb:?}"
        );
    }
}

#[test]
fn a_folder_that_another_user_closed_is_not_called_missing() {
    if !rustix::process::geteuid().is_root() {
        return skip("a folder that another user closed (only root can be another user)");
    }
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("data");
    std::fs::create_dir(&dir).unwrap();
    for closed in [root.path(), &dir] {
        std::fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
        std::fs::set_permissions(closed, Permissions::from_mode(0o700)).unwrap();
        for verb in [["key", "list"], ["archive", "list"], ["audit", "tail"]] {
            let mut ward = Command::new(WARD);
            ward.args(verb).arg("--data-dir").arg(&dir);
            let output = ward.uid(NOBODY).gid(NOBODY).output().unwrap();
            assert_eq!(refused(&output), "STORAGE", "{verb:?}");
            let talk = String::from_utf8(output.stderr).unwrap();
            assert!(talk.contains("ermission denied"), "{talk}");
        }
    }
}

const NOBODY: u32 = 65_534;

#[test]
fn an_empty_ward_home_is_one_that_is_not_set() {
    let nowhere = tempfile::tempdir().unwrap();
    let output = Command::new(WARD)
        .args(["key", "list"])
        .env("WARD_HOME", "")
        .current_dir(nowhere.path())
        .output()
        .unwrap();
    assert_eq!(refused(&output), "NO_CLUSTER");
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains("./ward-data"), "{talk}");
}

#[test]
fn a_reader_that_went_away_is_no_panic() {
    let mut child = Command::new(WARD)
        .arg("--help")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
