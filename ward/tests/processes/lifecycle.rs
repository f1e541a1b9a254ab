//! Starting, dying, stopping and coming back.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Stack, free_address, is_alive, reason_of, refused, wait_for};
use crate::servers::Server;

fn pids(stack: &Stack, names: &[&str]) -> Vec<Pid> {
    names.iter().map(|name| stack.pid(name).unwrap()).collect()
}

fn ping(stack: &Stack, address: std::net::SocketAddr) {
    wait_for(&format!("an echo; {}", stack.said()), || {
        let mut device = TcpStream::connect(address).ok()?;
        device.write_all(b"ping").ok()?;
        let mut back = [0; 4];
        device.read_exact(&mut back).ok()?;
        (&back == b"ping").then_some(())
    });
}

#[test]
fn the_same_directory_is_the_same_cluster() {
    let mut stack = Stack::up(&["--nodes", "1"]);
    let seal = stack.dir().join("seal/root");
    let mode = std::fs::metadata(&seal).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(
        stack.said().contains("seal/root"),
        "told at the first start"
    );
    let made = stack.json(&["key", "create", "lab"]);
    let cluster = stack.json(&["cluster", "status"])["cluster_id"].clone();
    stack.stop();
    assert!(!stack.is_ready());
    assert!(
        stack.pid("node-1").is_none(),
        "no pid file of a process that is gone"
    );
    for verb in [["key", "list"], ["audit", "tail"]] {
        let asked = stack.ward(&verb);
        assert_eq!(refused(&asked), "UNAVAILABLE");
        let told = String::from_utf8(asked.stderr).unwrap();
        assert!(told.contains("`ward up` does not run on"), "{told}");
    }

    stack.start();
    assert!(!stack.said().contains("seal/root"), "told once");
    assert_eq!(stack.json(&["key", "describe", "lab"]), made);
    assert_eq!(stack.json(&["cluster", "status"])["cluster_id"], cluster);
}

#[test]
fn another_number_of_nodes_and_a_second_up_are_refused() {
    let mut stack = Stack::up(&["--nodes", "1"]);
    let dir = stack.dir();
    let dir = dir.to_str().unwrap();
    let second = stack.ward(&["up", "--data-dir", dir, "--nodes", "1"]);
    assert_eq!(refused(&second), "LOCKED");
    stack.stop();
    let other = stack.ward(&["up", "--data-dir", dir, "--nodes", "3"]);
    assert_eq!(refused(&other), "NODES_FIXED");
}

#[test]
fn ctrl_c_stops_edge_core_and_nodes_in_that_order() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut stack = Stack::up(&["--nodes", "1"]);
        let [edge, core, node] = pids(&stack, &["edge", "core", "node-1"])[..] else {
            panic!("three processes");
        };
        // The children ignore it: only the supervisor decides.
        for child in [edge, core, node] {
            kill_process(child, signal).unwrap();
        }
        stack.signal(signal);
        let mut ended = Vec::new();
        wait_for("all to end", || {
            for (name, pid) in [("node", node), ("core", core), ("edge", edge)] {
                if !is_alive(pid) && !ended.contains(&name) {
                    ended.push(name);
                }
            }
            (ended.len() == 3).then_some(())
        });
        assert_eq!(ended, ["edge", "core", "node"]);
        assert!(stack.ended().success());
    }
}

#[test]
fn no_child_survives_the_supervisor() {
    let mut stack = Stack::up(&["--nodes", "1"]);
    let made = stack.json(&["key", "create", "lab"]);
    let children = pids(&stack, &["edge", "core", "node-1"]);
    stack.signal(Signal::KILL);
    stack.ended();
    wait_for("the children to end", || {
        (!children.iter().any(|pid| is_alive(*pid))).then_some(())
    });
    stack.start();
    assert_eq!(stack.json(&["key", "describe", "lab"]), made);
}

#[test]
fn after_everything_was_killed_at_once_all_is_there() {
    let echo = Server::echo();
    let device = free_address();
    let route = format!("pump-1:tcp@{device}={}", echo.address);
    let mut stack = Stack::up(&["--nodes", "1", "--route", &route]);
    let made = stack.json(&["key", "create", "lab"]);
    ping(&stack, device);
    let children = pids(&stack, &["edge", "core", "node-1"]);
    stack.signal(Signal::KILL);
    for child in children {
        kill_process(child, Signal::KILL).unwrap();
    }
    stack.ended();
    stack.start();
    assert_eq!(stack.json(&["key", "describe", "lab"]), made);
    ping(&stack, device);
}

#[test]
fn a_process_that_dies_is_started_again() {
    let echo = Server::echo();
    let device = free_address();
    let route = format!("pump-1:tcp@{device}={}", echo.address);
    let stack = Stack::up(&["--nodes", "1", "--route", &route]);
    for name in ["edge", "core", "node-1"] {
        let before = stack.pid(name).unwrap();
        kill_process(before, Signal::KILL).unwrap();
        let killed = sys::clock::monotonic();
        let after = wait_for("another process", || {
            stack.pid(name).filter(|pid| *pid != before)
        });
        let took = killed.elapsed();
        assert!(is_alive(after), "{name}");
        // 200 ms are promised; a machine that tests run on may be busy.
        assert!(took < Duration::from_secs(2), "{name}: {took:?}");
        eprintln!("{name} was started again after {took:?}");
        ping(&stack, device);
    }
    wait_for("the node to answer", || {
        stack
            .ward(&["key", "create", "after"])
            .status
            .success()
            .then_some(())
    });
}

#[test]
fn a_start_that_failed_is_told_in_one_line() {
    let stack = Stack::new(&["--nodes", "1"]);
    std::fs::create_dir(stack.dir()).unwrap();
    std::fs::create_dir(stack.dir().join("seal")).unwrap();
    let (status, talk) = stack.refused();
    assert_eq!(status.code(), Some(1));
    assert_eq!(reason_of(&talk), "NO_CLUSTER");
}

#[test]
fn a_cluster_of_which_no_node_is_left_is_told_in_one_line() {
    let mut stack = Stack::up(&["--nodes", "1"]);
    stack.stop();
    std::fs::remove_dir_all(stack.dir().join("node-1")).unwrap();
    let (status, talk) = stack.refused();
    assert_eq!(status.code(), Some(1));
    assert_eq!(reason_of(&talk), "NO_CLUSTER");
    assert!(talk.contains("put back a copy"), "{talk}");
}

#[test]
fn a_port_taken_meanwhile_is_replaced_and_announced() {
    let echo = Server::echo();
    let device = free_address();
    let route = format!("pump-1:tcp@{device}={}", echo.address);
    let mut stack = Stack::up(&["--nodes", "1", "--route", &route]);
    let address = |stack: &Stack, list: &str| {
        let status = stack.json(&["cluster", "status"]);
        let found = status[list]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| !it["address"].is_null());
        found.unwrap()["address"].as_str().unwrap().to_owned()
    };
    let before = [address(&stack, "nodes"), address(&stack, "gateways")];
    stack.stop();
    let holders = before
        .each_ref()
        .map(|address| TcpListener::bind(address).unwrap());
    stack.start();
    assert!(stack.said().contains("is taken"), "{}", stack.said());
    wait_for("the new addresses", || {
        let after = [address(&stack, "nodes"), address(&stack, "gateways")];
        (after[0] != before[0] && after[1] != before[1]).then_some(())
    });
    ping(&stack, device);
    drop(holders);
}
