//! Whom the client asks: the leader, another node, one node alone.

use std::time::Duration;

use super::{Behaviour, Cluster, dead_address, endpoint};
use crate::reason::Reason;

#[tokio::test]
async fn an_operator_verb_follows_the_leaders_address_and_remembers_it() {
    let cluster = Cluster::start().await;
    let leader = cluster.node(2).address.clone();
    cluster.others(2, &Behaviour::PointTo(leader));
    let client = cluster.client();
    let key = client.create_key("billing").await.unwrap();
    assert_eq!((key.name.as_str(), key.primary_version.0), ("billing", 1));
    assert_eq!(
        (cluster.calls(1), cluster.calls(2), cluster.calls(3)),
        (1, 1, 0)
    );
    // The same intent at both: the follower may have handed it on before it lost its office.
    assert_eq!(
        cluster.node(1).seen()[0].intent,
        cluster.node(2).seen()[0].intent
    );
    client.create_key("other").await.unwrap();
    assert_eq!(
        (cluster.calls(1), cluster.calls(2)),
        (1, 2),
        "straight to the leader"
    );
}

#[tokio::test]
async fn a_leader_that_is_in_no_list_is_followed() {
    let cluster = Cluster::start().await;
    cluster
        .node(1)
        .behave(Behaviour::PointTo(cluster.node(3).address.clone()));
    let only_the_first = vec![cluster.node(1).endpoint()];
    let client = cluster.builder().endpoints(only_the_first).open().unwrap();
    client.create_key("billing").await.unwrap();
    assert_eq!(cluster.calls(3), 1);
}

#[tokio::test]
async fn nodes_that_point_at_each_other_end_at_the_deadline() {
    let cluster = Cluster::start().await;
    cluster.others(2, &Behaviour::PointTo(cluster.node(2).address.clone()));
    cluster
        .node(2)
        .behave(Behaviour::PointTo(cluster.node(1).address.clone()));
    let client = cluster
        .builder()
        .deadline(Duration::from_millis(1500))
        .open()
        .unwrap();
    let refused = client.create_key("billing").await.unwrap_err();
    assert_eq!(refused.reason(), Reason::NotLeader);
    assert!(
        cluster.calls(1) + cluster.calls(2) < 200,
        "hops are bounded"
    );
}

#[tokio::test]
async fn a_leader_that_does_not_answer_is_no_leader() {
    let cluster = Cluster::start().await;
    let gone = dead_address().await;
    for number in 1..=3 {
        cluster
            .node(number)
            .behave(Behaviour::PointTo(gone.clone()));
    }
    let client = cluster
        .builder()
        .deadline(Duration::from_millis(1500))
        .open()
        .unwrap();
    let refused = client.create_key("billing").await.unwrap_err();
    assert_eq!(refused.reason(), Reason::NoLeader, "{refused}");
    assert!(refused.message().contains(&gone), "{refused}");
}

#[tokio::test]
async fn a_node_that_is_down_is_passed_over() {
    let cluster = Cluster::start().await;
    let endpoints = vec![
        endpoint(1, &dead_address().await),
        cluster.node(2).endpoint(),
    ];
    let client = cluster.builder().endpoints(endpoints).open().unwrap();
    client.describe_key("billing").await.unwrap();
    client.describe_key("billing").await.unwrap();
    assert_eq!(cluster.calls(2), 2);
}

#[tokio::test]
async fn with_one_node_chosen_no_other_is_asked() {
    let cluster = Cluster::start().await;
    cluster
        .node(2)
        .behave(Behaviour::RefuseTimes(3, Reason::NoLeader));
    let client = cluster.builder().only_node(2).open().unwrap();
    client.describe_key("billing").await.unwrap();
    client.cluster_status().await.unwrap_err();
    assert_eq!(
        (cluster.calls(1), cluster.calls(2), cluster.calls(3)),
        (0, 4, 0)
    );
}

#[tokio::test]
async fn with_one_node_chosen_only_operator_verbs_go_on_to_the_leader() {
    let cluster = Cluster::start().await;
    cluster
        .node(2)
        .behave(Behaviour::PointTo(cluster.node(3).address.clone()));
    let client = cluster
        .builder()
        .only_node(2)
        .deadline(Duration::from_millis(1500))
        .open();
    let client = client.unwrap();
    client.create_key("billing").await.unwrap();
    assert_eq!(
        (cluster.calls(1), cluster.calls(2), cluster.calls(3)),
        (0, 1, 1)
    );
    let refused = client.describe_key("billing").await.unwrap_err();
    assert_eq!(refused.reason(), Reason::NotLeader);
    assert_eq!((cluster.calls(1), cluster.calls(3)), (0, 1));
}

#[tokio::test]
async fn a_node_that_is_in_no_list_cannot_be_chosen() {
    let cluster = Cluster::start().await;
    let client = cluster.builder().only_node(9).open().unwrap();
    let refused = client.describe_key("billing").await.unwrap_err();
    assert_eq!(refused.reason(), Reason::Unavailable);
    assert!(refused.message().contains("node-9"), "{refused}");
}

#[tokio::test]
async fn reads_wait_for_what_this_client_wrote_wherever_it_was_written() {
    let cluster = Cluster::start().await;
    cluster.node(1).at_index(41);
    let client = cluster.client();
    client.create_key("billing").await.unwrap();
    assert_eq!(client.seen_index(), 41);
    cluster.node(1).behave(Behaviour::Refuse(Reason::Sealed));
    client.describe_key("billing").await.unwrap();
    assert_eq!(cluster.node(2).seen()[0].min_index, 41);
    assert_eq!(
        client.seen_index(),
        41,
        "an answer of an older index takes nothing back"
    );
    client.observe_index(50);
    assert_eq!(client.list_keys("").await.unwrap().len(), 2, "both pages");
    let listed = cluster.node(2).seen();
    assert!(
        listed[1..].iter().all(|seen| seen.min_index == 50),
        "{listed:?}"
    );
}
