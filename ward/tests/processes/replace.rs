//! Five nodes, one of which dies for good: it is removed, another takes its place, and whoever
//! writes notices nothing.

use serde_json::Value;

use crate::harness::wait_for;
use crate::nodes::{Nodes, Writer};

/// Waits until so many voters may fail; answers what is told of a node then.
fn until_tolerance(nodes: &Nodes, tolerance: u64, node_id: u64) -> Option<Value> {
    wait_for("the tolerance", || {
        let status = nodes.status()?;
        let told = status["nodes"].as_array()?.clone();
        let node = told.into_iter().find(|node| node["node_id"] == node_id);
        (status["failure_tolerance"] == tolerance).then_some(node)
    })
}

// Mutations: a tolerance that counts all voters stays at 2; one that counts on who is gone lets the
// removal leave it at 1 of four only by accident, and the third wait tells.
#[test]
fn a_dead_node_of_five_is_replaced_while_writes_go_on() {
    let mut nodes = Nodes::of(5);
    let writer = Writer::start(&nodes, "replace");

    nodes.kill(5);
    let dead = until_tolerance(&nodes, 1, 5).unwrap();
    assert_eq!(dead["healthy"], false, "{dead}");
    // Every node says so in its metrics as well.
    for number in 1..=4 {
        let told = |name: &str| nodes.metric(number, name);
        let tolerance = told("ward_cluster_failure_tolerance");
        assert_eq!(tolerance.as_deref(), Some("1"), "node {number}");
        let dead = told("ward_node_healthy{node=\"5\"}");
        assert_eq!(dead.as_deref(), Some("0"), "node {number}");
    }
    let removed = nodes.json(&["node", "remove", "5"]);
    assert_eq!(removed["voters"], serde_json::json!([1, 2, 3, 4]));
    nodes.until_healthy(4, 1);

    let number = nodes.add();
    assert_eq!(number, 6, "ids are never given twice");
    nodes.until_healthy(5, 2);

    // Both that may fail now do, the one that leads among them.
    let leader = nodes.status().unwrap()["leader"].as_u64().unwrap();
    let other = [6, 1].into_iter().find(|node| *node != leader).unwrap();
    nodes.kill(leader);
    nodes.kill(other);
    until_tolerance(&nodes, 0, other);
    let written = writer.finish(&nodes);
    println!(
        "{} writes, the longest took {:?}",
        written.keys.len(),
        written.longest
    );
    assert!(written.keys.len() > 10, "{}", written.keys.len());
}
