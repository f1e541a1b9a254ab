//! Leaders die, everything restarts, ports change; what was acknowledged stays.

use std::time::Duration;

use super::cluster::{Cluster, PATIENCE, until};
use crate::command::testing::{create_key, key_id};
use crate::command::{Command, Proposal, Refusal, SetKeyState};
use crate::replica::{BarrierError, Event, ProposeError, ReplicaRole};
use crate::state::{KeyState, NodeId};

fn has_key(cluster: &Cluster, node: u64, name: &str) -> bool {
    let replica = &cluster.nodes[&node].replica;
    replica.read(|index| index.key_by_name(name).is_some())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_outlives_its_leader_and_a_restart_of_all() {
    let mut cluster = Cluster::of(3).await;
    cluster.write(create_key("before", 1)).await;

    let leader = cluster.leader().await;
    let killed_at = sys::clock::monotonic();
    cluster.kill(leader).await;
    cluster.write(create_key("after", 2)).await;
    println!("killed leader to next write: {:?}", killed_at.elapsed());

    for (number, node) in &cluster.nodes {
        node.replica.read_barrier().await.unwrap();
        assert!(has_key(&cluster, *number, "after"), "node {number}");
    }
    for number in cluster.nodes.keys().copied().collect::<Vec<_>>() {
        cluster.kill(number).await;
    }
    // Every port is another one now: they find each other by hints and announce themselves.
    for number in 1..=3 {
        cluster.start(number).await.unwrap();
    }
    cluster.write(create_key("last", 3)).await;
    for (number, node) in &cluster.nodes {
        node.replica.read_barrier().await.unwrap();
        for name in ["before", "after", "last"] {
            assert!(has_key(&cluster, *number, name), "{name} on node {number}");
        }
    }
    until("all addresses are recorded anew", || {
        cluster.nodes.values().all(|node| {
            let own = node.replica.inner.member.clone();
            cluster
                .nodes
                .values()
                .all(|other| other.replica.member(node.replica.node_id()) == Some(own.clone()))
        })
    })
    .await;
}

// Mutation: a barrier that answers without a round lets a follower serve the old state here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_disable_was_answered_no_node_behind_a_barrier_sees_the_key_enabled() {
    let cluster = Cluster::of(3).await;
    cluster.write(create_key("k", 1)).await;
    for round in 0..50 {
        let state = match round % 2 {
            0 => KeyState::Disabled,
            _ => KeyState::Enabled,
        };
        let key_id = key_id(1);
        let command = Command::SetKeyState(SetKeyState { key_id, state });
        let written = cluster.write(command).await;
        for (number, node) in &cluster.nodes {
            let barrier = node.replica.read_barrier().await.unwrap();
            assert!(barrier.index() >= written.index);
            let seen = node.replica.read(|index| index.key(&key_id).unwrap().state);
            assert_eq!(seen, state, "round {round}, node {number}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_quorum_reads_and_writes_are_refused_and_stale_reads_served() {
    let mut cluster = Cluster::of(3).await;
    cluster.write(create_key("k", 1)).await;
    let leader = cluster.leader().await;
    for number in 1..=3 {
        if number != leader {
            cluster.kill(number).await;
        }
    }
    let alone = cluster.nodes[&leader].replica.clone();
    let refused = alone.read_barrier().await.unwrap_err();
    assert!(
        matches!(refused, BarrierError::NoQuorum | BarrierError::NoLeader),
        "{refused}"
    );
    let proposal = Proposal::internal(1, create_key("lost", 2));
    let refused = alone.propose(proposal).await.unwrap_err();
    assert!(
        matches!(
            refused,
            ProposeError::NoQuorum | ProposeError::NotLeader { .. }
        ),
        "{refused}"
    );
    assert!(has_key(&cluster, leader, "k"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_names_the_leader_and_a_refusal_its_reason() {
    let cluster = Cluster::of(3).await;
    cluster.write(create_key("k", 1)).await;
    let leader = cluster.leader().await;
    let follower = cluster
        .nodes
        .keys()
        .copied()
        .find(|n| *n != leader)
        .unwrap();
    let proposal = Proposal::internal(1, create_key("k", 2));
    let refused = cluster.nodes[&follower]
        .replica
        .propose(proposal.clone())
        .await;
    let ProposeError::NotLeader {
        leader: Some((named, _)),
    } = refused.unwrap_err()
    else {
        panic!("not refused as a follower refuses");
    };
    assert_eq!(named, NodeId(leader));
    let refused = cluster.nodes[&leader].replica.propose(proposal).await;
    assert_eq!(refused, Err(ProposeError::Refused(Refusal::NameTaken)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_is_handed_over() {
    let cluster = Cluster::of(3).await;
    let leader = cluster.leader().await;
    let begun = sys::clock::monotonic();
    let replica = &cluster.nodes[&leader].replica;
    let heir = replica.heirs()[0];
    assert_eq!(replica.hand_over_to(heir).await, Some(heir));
    println!("handed over in {:?}", begun.elapsed());
    until("another leader", || {
        cluster.nodes.iter().any(|(number, node)| {
            *number != leader && node.replica.status().role == ReplicaRole::Leader
        })
    })
    .await;
    cluster.write(create_key("k", 1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_missed_everything_gets_a_snapshot() {
    let mut cluster = Cluster::of(1).await;
    cluster.create_keys(40).await;
    let snapshot = cluster.snapshot_and_purge(1).await;
    cluster.join(2).await;
    until("the state arrived", || has_key(&cluster, 2, "k39")).await;
    assert!(cluster.nodes[&2].replica.status().snapshot_index >= snapshot);
    // And the log is opened again above the purge mark.
    cluster.kill(2).await;
    cluster.start(2).await.unwrap();
    cluster.write(create_key("later", 99)).await;
    until("the later key", || has_key(&cluster, 2, "later")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_is_told_after_the_index_has_it() {
    let cluster = Cluster::of(1).await;
    let replica = &cluster.nodes[&1].replica;
    let mut changes = replica.changes();
    let written = cluster.write(create_key("k", 1)).await;
    let change = tokio::time::timeout(PATIENCE, changes.recv())
        .await
        .unwrap();
    let change = change.unwrap();
    assert_eq!(change.event, Event::Key(key_id(1)));
    assert_eq!(change.index, written.index);
    assert!(replica.applied_index() >= change.index);
    assert!(
        replica
            .wait_applied(u64::MAX, Duration::from_millis(10))
            .await
            .is_err()
    );
}
