//! Who may take leadership over, and what becomes of it where the heir does not.

use std::time::Duration;

use super::cluster::{Cluster, until};
use crate::replica::{Replica, TransferError};
use crate::state::NodeId;

/// Three voters: the leader's replica, and the numbers of the others.
async fn three() -> (Cluster, Replica, [NodeId; 2]) {
    let cluster = Cluster::of(3).await;
    let leader = cluster.leader().await;
    let mut others = (1..=3).filter(|node| *node != leader).map(NodeId);
    let others = std::array::from_fn(|_| others.next().unwrap());
    let replica = cluster.nodes[&leader].replica.clone();
    (cluster, replica, others)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_vote_or_is_no_member_is_no_heir() {
    let mut cluster = Cluster::begin().await;
    cluster.steady_time = Duration::from_secs(3_600);
    // Started again: it is no new cluster any more, so that who joins keeps without a vote.
    cluster.kill(1).await;
    cluster.start(1).await.unwrap();
    cluster.leader().await;
    cluster.join_unready(2).await;
    let leader = cluster.nodes[&1].replica.clone();
    let learner = NodeId(2);
    until("it keeps up", || {
        leader.inner.membership.steady_for(learner).is_some()
    })
    .await;
    let node = NodeId(9);
    assert_eq!(
        leader.check_heir(node),
        Err(TransferError::Unknown { node })
    );
    let node = learner;
    assert_eq!(leader.check_heir(node), Err(TransferError::NoVote { node }));
    assert_eq!(leader.heirs(), []);
}

/// Another than this heir leads in the end.
async fn is_not_taken_by(cluster: &Cluster, leader: &Replica, heir: NodeId) {
    let leads = leader.hand_over_to(heir).await;
    assert_ne!(leads, Some(heir));
    assert_ne!(cluster.leader().await, heir.0);
}

// Mutation: Raft alone lets it lead, for an order to take over is no election that it stands for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_about_to_stop_takes_no_leadership_over() {
    let (cluster, leader, [heir, _]) = three().await;
    // Since the leader asked.
    cluster.nodes[&heir.0].replica.retire();
    is_not_taken_by(&cluster, &leader, heir).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_sealed_takes_no_leadership_over() {
    let (cluster, leader, [heir, _]) = three().await;
    cluster.nodes[&heir.0].replica.set_sealed(true);
    is_not_taken_by(&cluster, &leader, heir).await;
}

// Mutation: two heirs that are told at once stand against each other, and either leads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_hands_over_to_one_heir_at_a_time() {
    let (_cluster, leader, [first, second]) = three().await;
    let (one, other) = tokio::join!(leader.hand_over_to(first), leader.hand_over_to(second));
    assert_eq!(one, Some(first));
    assert_eq!(other, Some(first));
}
