//! Three nodes: what one acknowledged counts on all, and one may go.

use envelope::context::EncryptionContext;
use kms_client::identity::Role;
use kms_client::model::{DataKeyKind, GatewayRole, Inventory, NewDevice, NodeRole};
use kms_client::reason::Reason;
use ward_proto::v1::WatchRequest;
use ward_proto::v1::watch_event::Event;
use ward_proto::v1::watch_service_client::WatchServiceClient;

use crate::harness::{Cluster, PATIENCE, RunningNode, eventually};
use crate::strangers::{as_operator, channel, reason};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_disabled_through_one_node_is_refused_by_every_other_at_once() {
    let cluster = Cluster::of_three().await;
    let context = EncryptionContext::new();
    let nodes = [
        cluster.operator_at(1),
        cluster.operator_at(2),
        cluster.operator_at(3),
    ];
    for round in 0..10 {
        let name = format!("key-{round}");
        nodes[round % 3].create_key(name.as_str()).await.unwrap();
        let sealed = nodes[0]
            .encrypt(name.as_str(), b"canary", &context)
            .await
            .unwrap();
        for node in &nodes {
            node.decrypt(&sealed.blob, &context).await.unwrap();
        }
        nodes[round % 3].disable_key(name.as_str()).await.unwrap();
        for node in &nodes {
            let refused = node.decrypt(&sealed.blob, &context).await.err().unwrap();
            assert_eq!(refused.reason(), Reason::KeyDisabled, "round {round}");
        }
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_takes_up_joins_announcements_and_certificates_for_the_leader() {
    let cluster = Cluster::of_three().await;
    cluster.operator().create_key("billing").await.unwrap();
    let device = NewDevice {
        id: "mon-1".into(),
        inventory: Inventory {
            vendor: "Acme".into(),
            ..Inventory::default()
        },
        gateway: None,
        offline_allowance: None,
    };
    cluster.operator().enroll_device(&device).await.unwrap();
    cluster.enlist(Role::Gateway, "edge").await;
    let folder = cluster.dir.path().join("gateway-edge");
    for n in 1..=3 {
        let edge = kms_client::Client::builder()
            .dir(&folder)
            .only_node(n)
            .open()
            .unwrap();
        edge.announce_gateway(GatewayRole::Edge, None)
            .await
            .unwrap();
        let key = kms_client::identity::IdentityDir::new(cluster.dir.path().join("mon-1"));
        let csr = key.create_csr().unwrap();
        let issued = edge.issue_certificate(&csr, Some("mon-1")).await.unwrap();
        key.store_certificate(&issued.certificate, &issued.ca)
            .unwrap();
        let known = cluster
            .operator_at(n)
            .describe_device("mon-1")
            .await
            .unwrap();
        assert_eq!(known.inventory.unwrap().vendor, "Acme");
    }
    let status = cluster.operator().cluster_status().await.unwrap();
    assert_eq!(status.gateways.len(), 1);
    assert!(
        status
            .nodes
            .iter()
            .all(|node| node.pid == Some(std::process::id()))
    );
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_leader_may_stop_and_everything_acknowledged_stays() {
    let mut cluster = Cluster::of_three().await;
    let client = cluster.operator();
    client.create_key("before").await.unwrap();
    let leader = client.cluster_status().await.unwrap().leader.unwrap().0;
    let at = usize::try_from(leader).unwrap() - 1;
    let file = cluster.nodes[at].file.clone();
    cluster.nodes[at].stop().await;

    client.create_key("after").await.unwrap();
    let status = client.cluster_status().await.unwrap();
    assert_ne!(status.leader.unwrap().0, leader);
    let gone = status
        .nodes
        .iter()
        .find(|node| node.id.0 == leader)
        .unwrap();
    assert_eq!(gone.role, NodeRole::Unreachable);

    cluster.nodes[at] = RunningNode::start(file).await;
    let back = cluster.operator_at(leader);
    eventually("the node that was away knows both keys", || async {
        back.list_keys("").await.is_ok_and(|keys| keys.len() == 2)
    })
    .await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_stop_and_start_again_and_serve() {
    let mut cluster = Cluster::of_three().await;
    let client = cluster.operator();
    client.create_key("billing").await.unwrap();
    let files: Vec<_> = cluster.nodes.iter().map(|node| node.file.clone()).collect();
    for node in &mut cluster.nodes {
        node.stop().await;
    }
    cluster.nodes.clear();
    for file in files {
        cluster.nodes.push(RunningNode::start(file).await);
    }
    let context = EncryptionContext::new();
    let made = client
        .generate_data_keys("billing", &context, DataKeyKind::Object, 3)
        .await;
    assert_eq!(made.unwrap().keys.len(), 3);
    cluster.stop().await;
}

// Mutation: without the chore the unfit leader leads on.
#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_audit_log_cannot_be_written_hands_over() {
    let cluster = Cluster::of_three().await;
    let context = EncryptionContext::new();
    let client = cluster.operator();
    client.create_key("billing").await.unwrap();
    let leader = || async { client.cluster_status().await.ok()?.leader };
    let unfit = leader().await.unwrap();
    let audit = cluster.dir.path().join(format!("{unfit}/audit"));
    std::fs::rename(&audit, audit.with_extension("away")).unwrap();
    std::fs::write(&audit, b"in the way").unwrap();
    for _ in 0..2 {
        let at_leader = cluster.operator_at(unfit.0);
        let refused = at_leader.encrypt("billing", b"canary", &context).await;
        assert_eq!(refused.err().unwrap().reason(), Reason::AuditUnavailable);
    }
    eventually("another node leads", || async {
        leader().await.is_some_and(|now| now != unfit)
    })
    .await;
    client.create_key("after").await.unwrap();
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_quorum_ends_its_watches_and_opens_none() {
    let mut cluster = Cluster::of_three().await;
    let api = cluster.nodes[2].file.listen.api.clone();
    let channel = channel(&api, as_operator(&cluster)).await;
    let mut client = WatchServiceClient::new(channel);
    let opened = client.watch(WatchRequest {}).await;
    let mut events = opened.unwrap().into_inner();
    let first = events.message().await.unwrap().unwrap().event;
    assert!(matches!(first, Some(Event::Resync(_))));
    cluster.nodes[0].stop().await;
    cluster.nodes[1].stop().await;

    let ended = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Err(status) = events.message().await {
                return status;
            }
        }
    });
    let ended = ended.await.unwrap();
    assert!(["NO_LEADER", "NO_QUORUM"].contains(&reason(&ended).unwrap()));
    let refused = client.watch(WatchRequest {}).await.err().unwrap();
    assert!(["NO_LEADER", "NO_QUORUM"].contains(&reason(&refused).unwrap()));
    cluster.nodes[2].stop().await;
}
