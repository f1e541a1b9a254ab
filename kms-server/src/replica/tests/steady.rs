//! A node that joins votes once it has kept up without a break.

use std::time::Duration;

use openraft::async_runtime::WatchReceiver;

use super::cluster::{Cluster, until};
use crate::state::NodeId;

/// Longer than a busy machine takes to start a node and end it again.
const STEADY: Duration = Duration::from_secs(3);

fn votes(cluster: &Cluster, number: u64) -> bool {
    let metrics = cluster.nodes[&1].replica.raft().metrics();
    let membership = metrics.borrow_watched().membership_config.clone();
    let mut voters = membership.membership().voter_ids();
    voters.any(|voter| voter.0 == number)
}

// Mutations: without the time, or without its break, the node votes earlier.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_break_begins_the_wait_for_a_vote_anew() {
    let mut cluster = Cluster::begin().await;
    cluster.steady_time = STEADY;
    // Started again: it is no new cluster any more.
    cluster.kill(1).await;
    cluster.start(1).await.unwrap();
    cluster.leader().await;
    cluster.join_unready(2).await;
    let leader = cluster.nodes[&1].replica.clone();
    let steady = || leader.inner.membership.steady_for(NodeId(2));
    until("it keeps up", || steady().is_some()).await;
    cluster.kill(2).await;
    until("it is missed", || steady().is_none()).await;
    let back = sys::clock::monotonic();
    cluster.start(2).await.unwrap();
    until("it keeps up again", || steady().is_some()).await;
    assert!(!votes(&cluster, 2));
    until("it votes", || votes(&cluster, 2)).await;
    let waited = back.elapsed();
    assert!(waited >= STEADY, "voted after {waited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_of_a_new_cluster_vote_as_soon_as_they_have_caught_up() {
    let mut cluster = Cluster::begin().await;
    cluster.steady_time = Duration::from_secs(3_600);
    cluster.join(2).await;
    cluster.join(3).await;
}
