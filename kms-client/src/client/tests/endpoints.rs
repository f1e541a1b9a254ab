//! The list of nodes: kept right by the cluster, and by other processes through the folder.

use std::time::Duration;

use bytes::Bytes;
use ward_proto::v1;

use super::{Cluster, dead_address, endpoint, until};
use crate::client::Client;
use crate::identity::{IdentityDir, NodeId, Role};
use crate::model::{Ailment, NodeRole};

fn node_status(id: u64, address: &str, role: v1::NodeRole) -> v1::NodeStatus {
    v1::NodeStatus {
        node_id: id,
        api_address: address.into(),
        role: role.into(),
        sealed: false,
        applied_index: 5,
        pid: 100,
        join_address: String::new(),
        voter: true,
        ailments: vec![v1::Ailment::Sealed.into(), 99],
        last_contact_ms: Some(20),
        lag_entries: Some(3),
        steady_ms: None,
        format_known: 2,
    }
}

fn tell_status(cluster: &Cluster) {
    for teller in &cluster.nodes {
        let followers = cluster.nodes.iter();
        let nodes = followers
            .map(|node| node_status(node.id, &node.address, v1::NodeRole::Follower))
            .collect();
        *teller.shared.status.lock().unwrap() = v1::GetClusterStatusResponse {
            cluster_id: Bytes::from_static(&[9; 16]),
            leader: 2,
            nodes,
            gateways: vec![],
            applied: Some(v1::Applied { index: 5 }),
            served_by: teller.id,
            health: Some(v1::ClusterHealth {
                healthy: false,
                failure_tolerance: 1,
                steady_needed_ms: 5_000,
                told_by: 2,
            }),
            format_version: 1,
        };
    }
}

/// A folder as its owner would have it.
fn folder(cluster: &Cluster, path: &std::path::Path) -> IdentityDir {
    let dir = IdentityDir::new(path);
    let operator = cluster
        .authority
        .identity(Role::Operator, "first")
        .id()
        .clone();
    let certificate = cluster
        .authority
        .issue_for_csr(&dir.create_csr().unwrap(), &operator);
    dir.store_certificate(&certificate, &[cluster.authority.certificate()])
        .unwrap();
    dir
}

#[tokio::test]
async fn a_status_is_read_and_its_addresses_are_written_back() {
    let cluster = Cluster::start().await;
    tell_status(&cluster);
    for teller in &cluster.nodes {
        let mut status = teller.shared.status.lock().unwrap();
        status.nodes[2].join_address = "127.0.0.1:7303".into();
    }
    let temporary = tempfile::tempdir().unwrap();
    let dir = folder(&cluster, temporary.path());
    let mut first = cluster.node(1).endpoint();
    first.join = Some("127.0.0.1:7301".into());
    dir.store_endpoints(&[
        first.clone(),
        endpoint(2, "127.0.0.1:1"),
        endpoint(9, "gone:1"),
    ])
    .unwrap();
    let client = Client::open(temporary.path()).unwrap();
    let status = client.cluster_status().await.unwrap();
    assert_eq!(status.leader, Some(NodeId(2)));
    // What a newer node finds wrong is not taken for health.
    assert_eq!(status.nodes[0].ailments, [Ailment::Sealed, Ailment::Other]);
    assert_eq!(status.health.unwrap().told_by, Some(NodeId(2)));
    assert_eq!((status.served_by, status.applied_index), (NodeId(1), 5));
    assert_eq!(status.nodes[0].role, NodeRole::Follower);
    let mut third = cluster.node(3).endpoint();
    third.join = Some("127.0.0.1:7303".into());
    let expected = vec![first, cluster.node(2).endpoint(), third];
    assert_eq!(
        dir.load_endpoints().unwrap(),
        expected,
        "what joiners need stays, or is learned"
    );
}

#[tokio::test]
async fn after_a_node_was_not_found_the_list_is_asked_for_anew() {
    let cluster = Cluster::start().await;
    tell_status(&cluster);
    let temporary = tempfile::tempdir().unwrap();
    let dir = folder(&cluster, temporary.path());
    let dead = dead_address().await;
    dir.store_endpoints(&[endpoint(1, &dead), cluster.node(2).endpoint()])
        .unwrap();
    let client = Client::open(temporary.path()).unwrap();
    client.describe_key("billing").await.unwrap();
    let expected = cluster.endpoints();
    until("the list is right", || {
        dir.load_endpoints().unwrap() == expected
    })
    .await;
}

#[tokio::test]
async fn a_list_that_another_process_writes_is_read_while_a_call_waits() {
    let cluster = Cluster::start().await;
    let temporary = tempfile::tempdir().unwrap();
    let dir = folder(&cluster, temporary.path());
    dir.store_endpoints(&[endpoint(1, &dead_address().await)])
        .unwrap();
    let client = Client::open(temporary.path()).unwrap();
    let (answer, ()) = tokio::join!(client.describe_key("billing"), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        dir.store_endpoints(&cluster.endpoints()).unwrap();
    });
    answer.unwrap();
}

#[tokio::test]
async fn a_folder_that_nobody_wrote_takes_back_nothing_that_was_learned() {
    let cluster = Cluster::start().await;
    tell_status(&cluster);
    let temporary = tempfile::tempdir().unwrap();
    let dir = folder(&cluster, temporary.path());
    let old = [cluster.node(1).endpoint(), endpoint(2, "127.0.0.1:1")];
    dir.store_endpoints(&old).unwrap();
    let client = Client::open(temporary.path()).unwrap();
    client.cluster_status().await.unwrap();
    // As in a folder where the learned list could not be written.
    dir.store_endpoints(&old).unwrap();
    assert!(!client.inner.reload().await);
    assert_eq!(client.inner.nodes.endpoints(), cluster.endpoints());
    dir.store_endpoints(&old[..1]).unwrap();
    assert!(client.inner.reload().await, "somebody wrote it");
    assert_eq!(client.inner.nodes.endpoints(), old[..1]);
}

#[tokio::test]
async fn what_the_caller_gave_is_not_replaced_by_the_folder() {
    let cluster = Cluster::start().await;
    let temporary = tempfile::tempdir().unwrap();
    let dir = folder(&cluster, temporary.path());
    dir.store_endpoints(&[endpoint(1, "127.0.0.1:1")]).unwrap();
    let client = cluster.builder().dir(temporary.path()).open().unwrap();
    assert!(!client.inner.reload().await);
    assert_eq!(client.inner.nodes.endpoints(), cluster.endpoints());
}

#[tokio::test]
async fn a_data_directory_is_opened_as_its_operator() {
    let cluster = Cluster::start().await;
    let temporary = tempfile::tempdir().unwrap();
    let dir = folder(&cluster, &temporary.path().join("operator"));
    dir.store_endpoints(&cluster.endpoints()).unwrap();
    let client = Client::open(temporary.path()).unwrap();
    assert_eq!(client.id().id(), "first");
    client.describe_key("billing").await.unwrap();
}
