//! Nobody listens: a terminal that went away and a full disk end no process of the stack.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Stack, WARD, is_alive, wait_for};

/// Whoever runs the stack has its standard error closed or full; all of it must go on.
fn supervises_and_stops_in_order(stderr: Stdio) {
    let mut stack = Stack::new(&["--nodes", "1"]);
    stack.start_saying_to(stderr);
    let old = stack.pid("node-1").unwrap();
    kill_process(old, Signal::KILL).unwrap();
    wait_for("the node to be started again", || {
        stack.pid("node-1").filter(|pid| *pid != old)
    });
    wait_for("the node to serve", || {
        let made = stack.ward(&["key", "create", "lab"]);
        made.status.success().then_some(())
    });
    let children: Vec<_> = ["edge", "core", "node-1"]
        .iter()
        .map(|name| stack.pid(name).unwrap())
        .collect();
    stack.stop();
    assert!(!children.into_iter().any(is_alive));
}

#[test]
fn a_listener_that_went_away_is_no_end() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    supervises_and_stops_in_order(writer.into());
}

#[test]
fn a_full_disk_under_the_talk_is_no_end() {
    supervises_and_stops_in_order(full().into());
}

#[test]
fn a_full_disk_under_its_log_does_not_end_a_node() {
    let mut stack = Stack::up(&["--nodes", "1"]);
    stack.stop();
    let mut node = Command::new(WARD)
        .args(["node", "--log", "trace", "--config"])
        .arg(stack.dir().join("node-1/node.toml"))
        .stderr(full())
        .spawn()
        .unwrap();
    wait_for("the node to serve", || {
        let listed = stack.ward(&["key", "list"]);
        listed.status.success().then_some(())
    });
    kill_process(Pid::from_child(&node), Signal::TERM).unwrap();
    let status = wait_for("the node to end", || node.try_wait().unwrap());
    assert!(status.success(), "{status}");
}

#[test]
fn a_complaint_that_nobody_hears_is_a_failure_all_the_same() {
    let status = Command::new(WARD)
        .args(["node", "--config", "/nowhere"])
        .stderr(full())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

fn full() -> std::fs::File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}
