//! Moving leadership: once, from the leader that says itself that it is one.

use std::time::Duration;

use bytes::Bytes;
use ward_proto::v1;

use super::{Behaviour, Cluster, until};
use crate::identity::NodeId;
use crate::reason::Reason;

/// Node 1 is named as the leader, and says of itself that it has this role.
fn status(cluster: &Cluster, role: v1::NodeRole) -> v1::GetClusterStatusResponse {
    let nodes = cluster.nodes.iter().map(|node| v1::NodeStatus {
        node_id: node.id,
        api_address: node.address.clone(),
        role: match node.id {
            1 => role.into(),
            _ => v1::NodeRole::Follower.into(),
        },
        ..v1::NodeStatus::default()
    });
    v1::GetClusterStatusResponse {
        cluster_id: Bytes::from_static(&[9; 16]),
        leader: 1,
        nodes: nodes.collect(),
        ..v1::GetClusterStatusResponse::default()
    }
}

fn tell(cluster: &Cluster, status: &v1::GetClusterStatusResponse) {
    for node in &cluster.nodes {
        *node.shared.status.lock().unwrap() = status.clone();
    }
}

/// Whose leadership was to move, in each attempt at the third node; 0 for whoever leads.
fn asked(cluster: &Cluster) -> Vec<u64> {
    let seen = cluster.node(3).seen();
    let seen = seen
        .iter()
        .filter(|seen| seen.verb == "transfer_leadership");
    seen.map(|seen| u64::from_be_bytes(seen.intent[..].try_into().unwrap()))
        .collect()
}

// Mutation: without a leader to name, each attempt moves leadership from whoever leads by then.
#[tokio::test]
async fn without_a_leader_nobody_is_asked_to_move_it() {
    let cluster = Cluster::start().await;
    let nobody = v1::GetClusterStatusResponse {
        leader: 0,
        ..status(&cluster, v1::NodeRole::Candidate)
    };
    for told in [nobody, status(&cluster, v1::NodeRole::Follower)] {
        tell(&cluster, &told);
        let builder = cluster.builder().deadline(Duration::from_millis(300));
        let client = builder.open().unwrap();
        let refused = client.transfer_leadership(None).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::NoLeader, "{refused}");
        assert!((1..=3).all(|id| cluster.calls(id) == 0));
    }
}

#[tokio::test]
async fn a_leader_that_is_elected_meanwhile_is_the_one_to_move_from_however_often_it_is_asked() {
    let cluster = Cluster::start().await;
    let leader = cluster.node(3).address.clone();
    cluster.others(3, &Behaviour::PointTo(leader));
    let refusal = Behaviour::RefuseTimes(2, Reason::NoLeader);
    cluster.node(3).behave(refusal);
    // Node 1 leads no longer, as it says; not all have heard.
    tell(&cluster, &status(&cluster, v1::NodeRole::Follower));
    let client = cluster.client();
    let moving = client.transfer_leadership(None);
    let elected = async {
        until("the status is read", || {
            (1..=3).any(|id| cluster.node(id).statuses_told() > 0)
        })
        .await;
        tell(&cluster, &status(&cluster, v1::NodeRole::Leader));
    };
    let (moved, ()) = tokio::join!(moving, elected);
    let moved = moved.unwrap();
    assert_eq!((moved.former, moved.leader), (Some(NodeId(1)), NodeId(3)));
    assert!(moved.moved());
    assert_eq!(asked(&cluster), [1, 1, 1]);
}

// Mutation: "leads now" is said of one that led already.
#[tokio::test]
async fn who_leads_already_is_told_apart_from_who_leads_now() {
    let cluster = Cluster::start().await;
    let client = cluster.client();
    for (former, moved) in [(1, true), (3, false)] {
        let mut told = status(&cluster, v1::NodeRole::Follower);
        told.leader = former;
        let at = usize::try_from(former).unwrap() - 1;
        told.nodes[at].role = v1::NodeRole::Leader.into();
        tell(&cluster, &told);
        let transfer = client.transfer_leadership(Some(NodeId(3))).await.unwrap();
        assert_eq!(transfer.former, Some(NodeId(former)));
        assert_eq!((transfer.leader, transfer.moved()), (NodeId(3), moved));
    }
}
