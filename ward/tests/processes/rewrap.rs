//! Rewrapping through the tool, on a real stack: what archives hold under an old version is moved
//! to the new one, the old version is disabled, and everything that was archived still opens.

use std::process::{Child, Command, Stdio};

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::archive::{joined, listed, message, send_messages};
use crate::harness::{Stack, WARD, free_address, refused, wait_for};
use crate::servers::Server;

const KEY: &str = "device/mon-1";

/// How many archived data keys lie under a version, once the census says so.
fn under(stack: &Stack, version: usize) -> Option<u64> {
    let census = stack.ward(&["--output", "json", "key", "census", KEY]);
    let census: Value = serde_json::from_slice(&census.stdout).ok()?;
    census["keys"][0]["versions"][version - 1]["data_keys"].as_u64()
}

fn leader(stack: &Stack) -> Option<u64> {
    let status = stack.ward(&["--output", "json", "cluster", "status"]);
    let status: Value = serde_json::from_slice(&status.stdout).ok()?;
    status["leader"].as_u64()
}

/// `ward key rewrap NAME --watch`, in the background.
fn watch(stack: &Stack, rate: &str) -> Child {
    Command::new(WARD)
        .args(["--output", "json", "key", "rewrap", KEY, "--watch"])
        .args(["--rate", rate])
        .env("WARD_HOME", stack.dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn with_route(monitor: std::net::SocketAddr, server: &Server, nodes: &str) -> Stack {
    let route = format!("mon-1:hl7@{monitor}={}", server.address);
    Stack::up(&["--nodes", nodes, "--route", &route])
}

/// Sends so many messages and waits until they are archived, under this version of the key.
fn archive(stack: &Stack, monitor: std::net::SocketAddr, sent: &mut Vec<Vec<u8>>, version: u64) {
    let more: Vec<_> = (0..5).map(|number| message(sent.len() + number)).collect();
    send_messages(monitor, &more);
    sent.extend(more);
    let all = sent.len() * 2;
    wait_for("the objects", || {
        let objects = listed(stack);
        let last = objects.last()?["key_version"] == version;
        (objects.len() == all && last).then_some(())
    });
}

// Mutation: a step that moves nothing, a side-car that keeps the old key, or a census that is never
// told again.
#[test]
fn what_was_archived_still_opens_after_the_old_version_is_disabled() {
    let (server, monitor) = (Server::hl7(), free_address());
    let mut stack = with_route(monitor, &server, "3");
    let mut sent = Vec::new();
    archive(&stack, monitor, &mut sent, 1);
    wait_for("the census", || under(&stack, 1).filter(|count| *count > 0));
    assert_eq!(
        stack.reason(&["key", "rewrap", KEY, "--status"]),
        "INVALID_ARGUMENT"
    );
    assert_eq!(
        stack.reason(&["key", "rewrap", KEY, "--cancel"]),
        "INVALID_ARGUMENT"
    );

    stack.json(&["key", "rotate", KEY]);
    // A message begun a second later uses the new version.
    wait_for("the new version", || {
        let number = sent.len();
        send_messages(monitor, &[message(number)]);
        sent.push(message(number));
        let newest = listed(&stack).pop()?;
        (newest["key_version"] == 2).then_some(())
    });
    let old = under(&stack, 1).unwrap();
    assert!(old > 0, "the old version is in use");

    // Slow, and while it runs the leader and the core gateway are killed.
    let watching = watch(&stack, "1");
    wait_for("the job", || {
        let status = stack.ward(&["key", "rewrap", KEY, "--status"]);
        status.status.success().then_some(())
    });
    let leads = leader(&stack).unwrap();
    for name in [format!("node-{leads}"), "core".to_owned()] {
        kill_process(stack.pid(&name).unwrap(), Signal::KILL).unwrap();
    }
    let watched = watching.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&watched.stderr);
    assert!(watched.status.success(), "{said}");
    let job: Value = serde_json::from_slice(&watched.stdout).unwrap();
    assert_eq!(
        (&job["state"], &job["target_version"]),
        (&"complete".into(), &2.into())
    );
    assert_eq!(job["left"], 0, "{job}");
    wait_for("nothing under the old version", || {
        under(&stack, 1).filter(|count| *count == 0)
    });
    assert!(under(&stack, 2).unwrap() > 0);

    stack.json(&["key", "disable", KEY, "--version", "1"]);
    assert_eq!(joined(&stack, "mon-1", "to-service"), sent.concat());
    stack.json(&["archive", "verify"]);
    let text = stack.ward(&["key", "census"]);
    let text = String::from_utf8(text.stdout).unwrap();
    for part in ["archive of core: told", "not counted", "complete"] {
        assert!(text.contains(part), "{text}");
    }
    stack.stop();
}

#[test]
fn a_job_stands_still_while_its_key_is_disabled_and_ends_when_it_is_cancelled() {
    let (server, monitor) = (Server::hl7(), free_address());
    let mut stack = with_route(monitor, &server, "1");
    let mut sent = Vec::new();
    archive(&stack, monitor, &mut sent, 1);
    wait_for("the census", || under(&stack, 1).filter(|count| *count > 0));
    stack.json(&["key", "rotate", KEY]);
    stack.json(&["key", "disable", KEY]);
    let refused_start = stack.ward(&["key", "rewrap", KEY]);
    assert_eq!(refused(&refused_start), "KEY_DISABLED");
    stack.json(&["key", "enable", KEY]);
    // Version 1 may not be used any more, which is too early.
    stack.json(&["key", "disable", KEY, "--version", "1"]);
    let started = stack.json(&["key", "rewrap", KEY]);
    assert_eq!(started["state"], "running");
    wait_for("the refusal", || {
        let status = stack.json(&["key", "rewrap", KEY, "--status"]);
        let reason = status["gateways"][0]["reason"].as_str()?.to_owned();
        (reason == "VERSION_DISABLED").then_some(())
    });
    let cancelled = stack.json(&["key", "rewrap", KEY, "--cancel"]);
    assert_eq!(cancelled["state"], "cancelled");
    assert!(under(&stack, 1).unwrap() > 0, "nothing was lost");
    stack.json(&["key", "enable", KEY, "--version", "1"]);
    let again = stack.json(&["key", "rewrap", KEY, "--watch"]);
    assert_eq!(
        (&again["state"], &again["number"]),
        (&"complete".into(), &2.into())
    );
    assert_eq!(joined(&stack, "mon-1", "to-service"), sent.concat());
    stack.stop();
}
