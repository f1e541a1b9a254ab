//! Members come and go: a lost disk leaves no dead voter behind, and a removed node stays away.

use std::path::{Path, PathBuf};

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::forgery::verify_by_python;
use crate::harness::{Stack, succeeded, wait_for};

/// The status, once as many nodes vote, all of them with a name and a process.
fn all_well(stack: &Stack, count: usize) -> Vec<Value> {
    wait_for("voters only, and nobody dead", || {
        let output = stack.ward(&["--output", "json", "cluster", "status"]);
        let status: Value = serde_json::from_slice(&output.stdout).ok()?;
        let nodes = status["nodes"].as_array()?.clone();
        let votes = |node: &Value| {
            ["leader", "follower"].contains(&node["role"].as_str().unwrap_or_default())
                && node["id"].is_u64()
                && node["pid"].is_u64()
        };
        (nodes.len() == count && nodes.iter().all(votes)).then_some(nodes)
    })
}

fn member_ids(nodes: &[Value]) -> Vec<u64> {
    let mut ids: Vec<_> = nodes
        .iter()
        .filter_map(|it| it["node_id"].as_u64())
        .collect();
    ids.sort_unstable();
    ids
}

fn number_of(nodes: &[Value], role: &str) -> u64 {
    let mut nodes = nodes.iter();
    let node = nodes.find(|node| node["role"] == role).unwrap();
    node["id"].as_u64().unwrap()
}

fn audited(stack: &Stack) -> Option<Value> {
    let output = stack.ward(&["--output", "json", "audit", "verify"]);
    serde_json::from_slice(&output.stdout).ok()
}

/// Waits until the cluster has anchored every log once: a node that leaves before is told of by
/// the audit record of its removal alone.
fn all_anchored(stack: &Stack) {
    wait_for("an anchor of each log", || {
        let verdict = audited(stack)?;
        let logs = verdict["nodes"].as_array()?;
        let anchored = |log: &Value| log["anchored_to"].as_u64().is_some_and(|to| to > 0);
        (logs.len() == 3 && logs.iter().all(anchored)).then_some(())
    });
}

/// A copy of what a node knows of all logs.
fn anchors_of_today(stack: &Stack) -> PathBuf {
    let copy = stack.dir().join("known-before.json");
    wait_for("a copy that names all three", || {
        std::fs::copy(stack.dir().join("node-1/anchors.json"), &copy).ok()?;
        let known: Value = serde_json::from_slice(&std::fs::read(&copy).unwrap()).ok()?;
        (known["logs"].as_array()?.len() == 3).then_some(())
    });
    copy
}

/// Its log is not in the export, and the anchors of before do not know that it was removed.
fn an_auditor_with_older_anchors_understands(stack: &Stack, known: &Path) {
    let (out, known) = (stack.dir().join("audit.ward"), known.to_str().unwrap());
    let out = out.to_str().unwrap();
    let verdict = wait_for("a signed record of the removal", || {
        let export = ["audit", "export", "--out", out];
        stack.ward(&export).status.success().then_some(())?;
        let verify = ["audit", "verify", "--export", out, "--anchors", known];
        let output = stack.ward(&[&["--output", "json"], &verify[..]].concat());
        output.status.success().then_some(output.stdout)
    });
    let verdict: Value = serde_json::from_slice(&verdict).unwrap();
    assert_eq!(verdict["nodes"].as_array().unwrap().len(), 2, "{verdict}");
    if let Some(output) = verify_by_python(&[out, verdict["ca_sha256"][0].as_str().unwrap(), known])
    {
        assert!(output.status.success(), "{output:?}");
    }
}

fn create(stack: &Stack, name: &str) {
    wait_for(name, || {
        let output = stack.ward(&["key", "create", name]);
        output.status.success().then_some(())
    });
}

// Mutation: without the chore that removes former selves the first wait is in vain.
#[test]
fn a_lost_disk_leaves_no_dead_voter_behind_however_often() {
    let mut stack = Stack::up(&[]);
    for (node, members) in [("node-2", [1, 3, 4]), ("node-3", [1, 4, 5])] {
        kill_process(stack.pid(node).unwrap(), Signal::KILL).unwrap();
        stack.stop();
        std::fs::remove_dir_all(stack.dir().join(node)).unwrap();
        stack.start();
        assert_eq!(member_ids(&all_well(&stack, 3)), members);
    }
    // Two incidents later one node may still be away.
    kill_process(stack.pid("node-1").unwrap(), Signal::STOP).unwrap();
    create(&stack, "tolerant");
    kill_process(stack.pid("node-1").unwrap(), Signal::CONT).unwrap();
}

#[test]
fn a_removed_node_ends_and_stays_away_until_its_directory_is_gone() {
    let mut stack = Stack::up(&[]);
    assert_eq!(stack.reason(&["node", "remove", "9"]), "INVALID_ARGUMENT");
    let unknown = ["node", "remove", "--member", "9"];
    assert_eq!(stack.reason(&unknown), "NODE_NOT_FOUND");

    // A leader hands over, and its successor removes it.
    all_anchored(&stack);
    let leader = number_of(&all_well(&stack, 3), "leader");
    let known = anchors_of_today(&stack);
    let removed = stack.json(&["node", "remove", &leader.to_string()]);
    assert_eq!(removed["id"], leader);
    assert_eq!(removed["voters"].as_array().unwrap().len(), 2);
    let name = format!("node-{leader}");
    wait_for("the node to end", || {
        let said = stack.said();
        said.contains(&format!("{name} ended and stays so: error[NODE_REMOVED]"))
            .then_some(())
    });
    assert_eq!(all_well(&stack, 2).len(), 2);
    wait_for("the anchors to tell of the removal", || {
        let verdict = audited(&stack)?;
        (verdict["removed_nodes"] == serde_json::json!([leader])).then_some(())
    });
    an_auditor_with_older_anchors_understands(&stack, &known);
    create(&stack, "after");
    let again = ["node", "remove", "--member", &leader.to_string()];
    assert_eq!(stack.reason(&again), "NODE_NOT_FOUND");

    // Of two, one; of one, none.
    let follower = number_of(&all_well(&stack, 2), "follower");
    stack.json(&["node", "remove", &follower.to_string()]);
    let last = number_of(&all_well(&stack, 1), "leader");
    let last = ["node", "remove", &last.to_string()];
    assert_eq!(stack.reason(&last), "QUORUM_AT_RISK");
    create(&stack, "alone");

    stack.stop();
    stack.start();
    let told = format!("{name} was removed from the cluster and is not started");
    assert!(stack.said().contains(&told), "{}", stack.said());
    assert_eq!(all_well(&stack, 1).len(), 1);
    stack.stop();
    std::fs::remove_dir_all(stack.dir().join(&name)).unwrap();
    stack.start();
    let nodes = all_well(&stack, 2);
    assert!(member_ids(&nodes).contains(&4), "{nodes:?}");
    let listed = succeeded(&["key", "list"], stack.ward(&["key", "list"]));
    let listed = String::from_utf8(listed).unwrap();
    assert!(
        listed.contains("after") && listed.contains("alone"),
        "{listed}"
    );
}

#[test]
fn a_removal_that_would_leave_no_quorum_is_refused_and_names_who_is_missing() {
    let stack = Stack::up(&[]);
    let nodes = all_well(&stack, 3);
    let leader = number_of(&nodes, "leader");
    let others: Vec<_> = (1..=3).filter(|number| *number != leader).collect();
    let away = stack.pid(&format!("node-{}", others[0])).unwrap();
    kill_process(away, Signal::STOP).unwrap();
    // A heartbeat of the last second counts as an answer.
    let stopped = sys::clock::monotonic();
    wait_for("the silence to be noticed", || {
        let status = stack.json(&["cluster", "status"]);
        let nodes = status["nodes"].as_array()?;
        let silent = nodes.iter().find(|node| node["id"] == others[0])?["role"] == "unreachable";
        (silent && stopped.elapsed() > std::time::Duration::from_secs(2)).then_some(())
    });
    let output = stack.ward(&["node", "remove", &others[1].to_string()]);
    kill_process(away, Signal::CONT).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let missing = format!("node_id {} does not answer", others[0]);
    assert!(
        said.contains("error[QUORUM_AT_RISK]") && said.contains(&missing),
        "{said}"
    );
    assert_eq!(all_well(&stack, 3).len(), 3);
}

#[test]
fn leadership_is_moved_by_a_verb_and_the_status_says_how_many_may_fail() {
    let stack = Stack::up(&[]);
    wait_for("a healthy cluster", || {
        let status = stack.json(&["cluster", "status"]);
        let whole = (&status["healthy"], &status["failure_tolerance"]);
        (whole == (&Value::Bool(true), &Value::from(1))).then_some(())
    });
    let leader = number_of(&all_well(&stack, 3), "leader");
    let moved = stack.json(&["cluster", "transfer"]);
    assert_ne!(moved["leader"], leader);
    assert_eq!(moved["moved"], true);
    let named = leader.to_string();
    let back = stack.json(&["cluster", "transfer", "--to", &named]);
    assert_eq!(back["leader"], leader);
    let again = stack.ward(&["cluster", "transfer", "--to", &named]);
    let said = String::from_utf8(again.stdout).unwrap();
    assert_eq!(
        said,
        format!("node-{leader} leads already; nothing has moved\n")
    );
    assert_eq!(stack.json(&["cluster", "status"])["leader"], leader);
    let unknown = ["cluster", "transfer", "--to", "9"];
    assert_eq!(stack.reason(&unknown), "INVALID_ARGUMENT");

    let other = (1..=3).find(|number| *number != leader).unwrap();
    let away = stack.pid(&format!("node-{other}")).unwrap();
    kill_process(away, Signal::STOP).unwrap();
    let said = wait_for("the silence to be noticed", || {
        let output = stack.ward(&["cluster", "status"]);
        let said = String::from_utf8(output.stdout).ok()?;
        let noticed = said.contains("no voter may fail") && said.contains("not heard");
        noticed.then_some(said)
    });
    assert!(
        said.contains(&format!("node-{other} does not answer")),
        "{said}"
    );
    let refused = stack.reason(&["cluster", "transfer", "--to", &other.to_string()]);
    kill_process(away, Signal::CONT).unwrap();
    assert_eq!(refused, "CANNOT_LEAD");
}
