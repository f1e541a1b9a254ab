//! Nodes whose seal is away: they vote, tell their status, and lead only until another can.

use std::path::PathBuf;

use kms_client::model::NodeStatus;
use kms_client::reason::Reason;

use crate::harness::{Cluster, RunningNode, eventually, seal};

/// Starts node `n` again as if its seal's secret were lost; answers where it is looked for.
async fn restart_sealed(cluster: &mut Cluster, n: usize) -> PathBuf {
    let mut file = cluster.nodes[n - 1].file.clone();
    file.seal.file.path = file.data_dir.join("seal-away");
    let path = file.seal.file.path.clone();
    cluster.nodes[n - 1] = RunningNode::start(file).await;
    path
}

async fn status_of(cluster: &Cluster, n: u64) -> Option<NodeStatus> {
    let status = cluster.operator().cluster_status().await.ok()?;
    status.nodes.into_iter().find(|node| node.id.0 == n)
}

async fn is_sealed(cluster: &Cluster, n: u64) -> Option<bool> {
    status_of(cluster, n).await.map(|node| node.sealed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_its_seal_votes_and_tells_its_status_and_unseals_when_it_is_back() {
    let mut cluster = Cluster::of_three().await;
    cluster.operator().create_key("before").await.unwrap();
    cluster.nodes[2].stop().await;
    let path = restart_sealed(&mut cluster, 3).await;
    eventually("node 3 says that it is sealed", || async {
        is_sealed(&cluster, 3).await == Some(true)
    })
    .await;
    let at_sealed = cluster.operator_at(3);
    let refused = at_sealed.list_keys("").await.err().unwrap();
    assert_eq!(refused.reason(), Reason::Sealed);
    assert!(
        refused.to_string().contains("put its seal's secret back"),
        "{refused}"
    );
    at_sealed.cluster_status().await.unwrap();

    // Of the other two one goes: without the sealed one's vote and disk there is no quorum.
    cluster.nodes[1].stop().await;
    let client = cluster.operator();
    eventually("a write with a sealed voter", || async {
        let made = client.create_key("after").await;
        made.is_ok_and(|key| key.name == "after")
    })
    .await;
    let leader = client.cluster_status().await.unwrap().leader;
    assert_eq!(leader.unwrap().0, 1);

    std::fs::copy(seal(cluster.dir.path()), &path).unwrap();
    eventually("the node unseals by itself", || async {
        at_sealed.describe_key("after").await.is_ok()
    })
    .await;
    cluster.nodes.remove(1);
    cluster.stop().await;
}

// Mutation: a sealed node that never stands leaves this cluster without a leader for ever, and one
// that does not hand over leaves it sealed.
#[tokio::test(flavor = "multi_thread")]
async fn when_only_sealed_nodes_hold_the_newest_log_one_leads_and_hands_over() {
    let mut cluster = Cluster::of_three().await;
    cluster.nodes[2].stop().await;
    cluster.operator().create_key("newest").await.unwrap();
    cluster.nodes[0].stop().await;
    cluster.nodes[1].stop().await;
    restart_sealed(&mut cluster, 1).await;
    restart_sealed(&mut cluster, 2).await;
    let file = cluster.nodes[2].file.clone();
    cluster.nodes[2] = RunningNode::start(file).await;

    let at_third = cluster.operator_at(3);
    eventually(
        "the unsealed node leads and knows the newest key",
        || async {
            let Ok(status) = at_third.cluster_status().await else {
                return false;
            };
            status.leader.is_some_and(|leader| leader.0 == 3)
                && at_third.describe_key("newest").await.is_ok()
        },
    )
    .await;
    at_third.create_key("later").await.unwrap();
    for n in [1, 2] {
        assert_eq!(is_sealed(&cluster, n).await, Some(true));
    }
    cluster.stop().await;
}
