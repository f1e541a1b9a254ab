//! One node, from its beginning through every verb, a restart, and a seal that is away.

use envelope::context::EncryptionContext;
use kms_client::model::KeyState;
use kms_client::reason::Reason;

use crate::harness::{Cluster, RunningNode, eventually, get, seal};

fn context(patient: &str) -> EncryptionContext {
    let mut context = EncryptionContext::new();
    context.insert("patient", patient).unwrap();
    context
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_used_rotated_and_disabled() {
    let cluster = Cluster::of_one().await;
    let client = cluster.operator();
    let key = client.create_key("billing").await.unwrap();
    assert_eq!((key.name.as_str(), key.primary_version.0), ("billing", 1));

    let sealed = client
        .encrypt("billing", b"canary", &context("a"))
        .await
        .unwrap();
    let opened = client.decrypt(&sealed.blob, &context("a")).await.unwrap();
    assert_eq!(opened.plaintext.expose(), b"canary");
    let wrong = client
        .decrypt(&sealed.blob, &context("b"))
        .await
        .err()
        .unwrap();
    assert_eq!(wrong.reason(), Reason::OpenFailed);

    assert_eq!(
        client
            .rotate_key("billing", None)
            .await
            .unwrap()
            .primary_version
            .0,
        2
    );
    let moved = client
        .re_encrypt(&sealed.blob, &context("a"), None, &context("b"))
        .await
        .unwrap();
    assert_eq!(moved.key_version.0, 2);
    let opened = client.decrypt(&moved.blob, &context("b")).await.unwrap();
    assert_eq!(opened.plaintext.expose(), b"canary");

    client.disable_key("billing").await.unwrap();
    let refused = client
        .decrypt(&sealed.blob, &context("a"))
        .await
        .err()
        .unwrap();
    assert_eq!(refused.reason(), Reason::KeyDisabled);
    let refused = client
        .encrypt("billing", b"x", &context("a"))
        .await
        .err()
        .unwrap();
    assert_eq!(refused.reason(), Reason::KeyDisabled);
    assert_eq!(
        client.enable_key("billing").await.unwrap().state,
        KeyState::Enabled
    );
    client.decrypt(&sealed.blob, &context("a")).await.unwrap();
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let mut cluster = Cluster::of_one().await;
    let client = cluster.operator();
    for n in 0..20 {
        client.create_key(&format!("key-{n:02}")).await.unwrap();
    }
    let sealed = client
        .encrypt("key-07", b"canary", &context("a"))
        .await
        .unwrap();
    let file = cluster.nodes[0].file.clone();
    cluster.nodes[0].stop().await;
    cluster.nodes[0] = RunningNode::start(file).await;

    let client = cluster.operator();
    eventually("the node is unsealed and leads", || async {
        client.decrypt(&sealed.blob, &context("a")).await.is_ok()
    })
    .await;
    let names: Vec<_> = client.list_keys("key-").await.unwrap();
    assert_eq!(names.len(), 20);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_seal_is_away_tells_its_status_alone_and_serves_when_it_is_back() {
    let mut cluster = Cluster::of_one().await;
    cluster.operator().create_key("billing").await.unwrap();
    let file = cluster.nodes[0].file.clone();
    cluster.nodes[0].stop().await;
    let (secret, away) = (seal(cluster.dir.path()), cluster.dir.path().join("away"));
    std::fs::rename(&secret, &away).unwrap();
    cluster.nodes[0] = RunningNode::start(file).await;

    let client = cluster.operator_at(1);
    eventually("the status tells that it is sealed", || async {
        client
            .cluster_status()
            .await
            .is_ok_and(|status| status.nodes[0].sealed)
    })
    .await;
    let refused = client
        .encrypt("billing", b"x", &context("a"))
        .await
        .err()
        .unwrap();
    assert_eq!(refused.reason(), Reason::Sealed);
    let refused = client.create_key("other").await.err().unwrap();
    assert_eq!(refused.reason(), Reason::Sealed);

    std::fs::rename(&away, &secret).unwrap();
    eventually("it serves once the seal is back", || async {
        client.encrypt("billing", b"x", &context("a")).await.is_ok()
    })
    .await;
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_tell_health_and_count_requests_without_names() {
    let cluster = Cluster::of_one().await;
    cluster.operator().create_key("billing").await.unwrap();
    let ops = cluster.nodes[0].file.listen.ops.clone();
    assert!(get(&ops, "/live").await.unwrap().contains(" 200 "));
    assert!(
        get(&ops, "/health")
            .await
            .unwrap()
            .contains(r#""role":"leader""#)
    );
    let page = get(&ops, "/metrics").await.unwrap();
    assert!(
        page.contains(r#"ward_requests_total{verb="CreateKey",reason="OK"}"#),
        "{page}"
    );
    assert!(page.contains("ward_sealed 0"), "{page}");
    assert!(!page.contains("billing"), "{page}");
    cluster.stop().await;
}
