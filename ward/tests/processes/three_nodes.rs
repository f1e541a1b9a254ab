//! Three nodes: any of them serves, what one refuses all refuse, and all come back.

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{Stack, refused, succeeded, wait_for};

const NODES: [&str; 3] = ["1", "2", "3"];

fn roles(status: &Value) -> Vec<String> {
    let nodes = status["nodes"].as_array().unwrap();
    nodes
        .iter()
        .map(|node| node["role"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_node_serves_and_refuses_alike() {
    let stack = Stack::up(&[]);
    let status = stack.json(&["cluster", "status"]);
    let mut roles = roles(&status);
    roles.sort();
    assert_eq!(roles, ["follower", "follower", "leader"]);

    let made = stack.json(&["key", "create", "lab"]);
    for node in NODES {
        let described = wait_for("the key on every node", || {
            let output =
                stack.ward(&["--output", "json", "key", "describe", "lab", "--node", node]);
            output
                .status
                .success()
                .then(|| serde_json::from_slice::<Value>(&output.stdout).unwrap())
        });
        assert_eq!(described, made, "node {node}");
        // An operator verb goes to the leader, whichever node was asked.
        stack.json(&["key", "create", &format!("by-{node}"), "--node", node]);
    }
    let encrypt = ["encrypt", "--key", "lab", "--node", "2"];
    let stream = succeeded(&encrypt, stack.ward_with(&encrypt, b"x"));
    for round in 0..10 {
        let through = NODES[round % 3];
        stack.json(&["key", "disable", "lab", "--node", through]);
        for node in NODES {
            let output = stack.ward_with(&["decrypt", "--node", node], &stream);
            assert_eq!(
                refused(&output),
                "KEY_DISABLED",
                "disabled by {through}, asked {node}"
            );
        }
        stack.json(&["key", "enable", "lab", "--node", through]);
        let decrypt = ["decrypt", "--node", NODES[(round + 1) % 3]];
        assert_eq!(
            succeeded(&decrypt, stack.ward_with(&decrypt, &stream)),
            b"x"
        );
    }
}

#[test]
fn the_leader_may_die_and_all_may_die_at_once() {
    let mut stack = Stack::up(&[]);
    let mut acknowledged = Vec::new();
    let mut create = |stack: &Stack, name: &str| {
        wait_for(name, || {
            let output = stack.ward(&["key", "create", name]);
            // A repetition after an answer that was lost finds the name taken: it is there.
            let there = output.status.success() || refused(&output) == "NAME_TAKEN";
            there.then_some(())
        });
        acknowledged.push(name.to_owned());
    };
    create(&stack, "before");
    let leader = stack.json(&["cluster", "status"])["leader"]
        .as_u64()
        .unwrap();
    let leader = format!("node-{leader}");
    kill_process(stack.pid(&leader).unwrap(), Signal::KILL).unwrap();
    create(&stack, "after-the-leader");

    let names = ["edge", "core", "node-1", "node-2", "node-3"];
    let all: Vec<_> = names.iter().filter_map(|name| stack.pid(name)).collect();
    stack.signal(Signal::KILL);
    for pid in all {
        // One of them may be between two lives.
        if let Err(error) = kill_process(pid, Signal::KILL) {
            assert_eq!(error, rustix::io::Errno::SRCH);
        }
    }
    stack.ended();
    stack.start();
    create(&stack, "after-all");
    let listed = stack.json(&["key", "list"]);
    let names: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["name"])
        .collect();
    for name in &acknowledged {
        assert!(names.contains(&&json!(name)), "{name} is lost: {names:?}");
    }
}

#[test]
fn a_node_that_lost_its_disk_joins_again_under_its_name() {
    let mut stack = Stack::up(&[]);
    let made = stack.json(&["key", "create", "lab"]);
    stack.stop();
    // The first one, which every other once joined through.
    std::fs::remove_dir_all(stack.dir().join("node-1")).unwrap();
    stack.start();
    let said = stack.said();
    assert!(said.contains("node-1 is member 4"), "{said}");
    assert_eq!(stack.json(&["key", "describe", "lab"]), made);
    let own = wait_for("the node to be seen by the others", || {
        let status = stack.json(&["cluster", "status"]);
        let nodes = status["nodes"].as_array().unwrap().clone();
        let mut named = nodes.into_iter().filter(|node| node["id"] == 1);
        named.find(|node| node["pid"].is_u64())
    });
    assert_eq!(own["node_id"], 4);
    assert_eq!(
        own["pid"],
        stack.pid("node-1").unwrap().as_raw_nonzero().get()
    );
    wait_for("the key on the new node", || {
        let described = ["--output", "json", "key", "describe", "lab", "--node", "1"];
        let output = stack.ward(&described);
        let key = serde_json::from_slice::<Value>(&output.stdout);
        (output.status.success() && key.unwrap() == made).then_some(())
    });
    assert_eq!(
        stack.reason(&["key", "list", "--node", "4"]),
        "INVALID_ARGUMENT"
    );
    // And it stays so.
    stack.stop();
    stack.start();
    assert_eq!(stack.json(&["key", "describe", "lab"]), made);
}
