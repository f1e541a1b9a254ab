//! What goes wrong around a stack that runs: a replaced program, a node that cannot start, no
//! quorum, a ready file without a folder.

use std::time::Duration;

use rustix::process::{Signal, kill_process};

use crate::harness::{Stack, WARD, is_alive, reason_of, wait_for};

#[test]
fn a_process_is_started_again_after_the_program_was_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("ward");
    std::fs::copy(WARD, &program).unwrap();
    let mut stack = Stack::new(&["--nodes", "1"]);
    stack.run_by(&program);
    stack.start();
    std::fs::remove_file(&program).unwrap();
    let old = stack.pid("node-1").unwrap();
    kill_process(old, Signal::KILL).unwrap();
    let new = wait_for("another process", || {
        stack.pid("node-1").filter(|pid| *pid != old)
    });
    let proc = format!("/proc/{}", new.as_raw_nonzero());
    wait_for("its command line", || {
        let command = std::fs::read_to_string(format!("{proc}/cmdline")).ok()?;
        command.starts_with("ward\0node\0").then_some(())
    });
    wait_for("its name", || {
        let name = std::fs::read_to_string(format!("{proc}/comm")).ok()?;
        (name == "ward\n").then_some(())
    });
}

#[test]
fn a_node_that_cannot_start_has_no_pid_and_leaves_no_pid_file() {
    let mut stack = Stack::up(&[]);
    // One of two voters is a quorum of nothing: the third must have become one before.
    wait_for("three voters", || {
        let status = stack.json(&["cluster", "status"]);
        let nodes = status["nodes"].as_array().unwrap();
        let votes = |node: &serde_json::Value| {
            ["leader", "follower"].contains(&node["role"].as_str().unwrap())
        };
        (nodes.len() == 3 && nodes.iter().all(votes)).then_some(())
    });
    std::fs::write(stack.dir().join("node-3/identity.toml"), "damaged").unwrap();
    kill_process(stack.pid("node-3").unwrap(), Signal::KILL).unwrap();
    wait_for("a node without a process", || {
        let status = stack.json(&["cluster", "status"]);
        let nodes = status["nodes"].as_array().unwrap();
        let node = nodes.iter().find(|node| node["id"] == 3).unwrap();
        node["pid"].is_null().then_some(())
    });
    // By then it waits seconds for the next try.
    wait_for("some tries", || {
        stack.said().contains("again in 1600 ms").then_some(())
    });
    stack.stop();
    assert!(stack.pid("node-3").is_none(), "{}", stack.said());
    // And it keeps nobody from starting.
    stack.start();
    stack.json(&["key", "create", "lab"]);
}

#[test]
fn without_a_quorum_a_verb_is_refused_in_time() {
    let stack = Stack::up(&[]);
    let silent = ["node-2", "node-3"].map(|name| stack.pid(name).unwrap());
    for pid in silent {
        kill_process(pid, Signal::STOP).unwrap();
    }
    let begun = sys::clock::monotonic();
    let reason = stack.reason(&["key", "create", "lab"]);
    let took = begun.elapsed();
    for pid in silent {
        kill_process(pid, Signal::CONT).unwrap();
    }
    eprintln!("without a quorum: {reason} after {took:?}");
    let expected = [
        "NO_QUORUM",
        "NO_LEADER",
        "NOT_LEADER",
        "DEADLINE",
        "UNAVAILABLE",
    ];
    assert!(expected.contains(&reason.as_str()), "{reason}");
    assert!(took < Duration::from_secs(15), "{took:?}");
    wait_for("the quorum to be back", || {
        let made = stack.ward(&["key", "create", "later"]);
        made.status.success().then_some(())
    });
}

#[test]
fn a_ready_file_that_cannot_be_written_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    std::fs::create_dir(&gone).unwrap();
    let mut stack = Stack::new(&["--nodes", "1"]);
    stack.ready_at(&gone.join("ready"));
    let up = stack.spawn_quietly();
    wait_for("the node's process", || stack.pid("node-1"));
    std::fs::remove_dir(&gone).unwrap();
    let children = wait_for("the gateways' processes", || {
        Some([stack.pid("edge")?, stack.pid("core")?, stack.pid("node-1")?])
    });
    let status = stack.wait_quietly(up);
    assert_eq!(status.code(), Some(1));
    let talk = stack.said();
    assert_eq!(reason_of(&talk), "STORAGE", "{talk}");
    assert!(talk.contains("Stopping the nodes"), "{talk}");
    assert!(!children.into_iter().any(is_alive), "{talk}");
    assert!(
        stack.pid("edge").is_none(),
        "only an ordered stop removes it"
    );
}
