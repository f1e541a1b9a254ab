//! Quotas: what an identity may use, counted by all nodes together.

use std::time::Duration;

use envelope::context::EncryptionContext;
use kms_client::identity::{IdentityDir, Role};
use kms_client::model::{DataKeyKind, GatewayRole, NewDevice, QuotaClass, QuotaLimit, Used};
use kms_client::reason::Reason;
use kms_client::{Batch, Client, Error};

use crate::harness::{Cluster, get};

const DAY: Duration = Duration::from_secs(86_400);

fn limit(class: QuotaClass, amount: u32, window: Duration) -> QuotaLimit {
    QuotaLimit {
        class,
        amount,
        window,
    }
}

fn reason<T>(answer: &Result<T, Error>) -> Option<Reason> {
    answer.as_ref().err().map(Error::reason)
}

/// A cluster with a key of the application `portal`, what it encrypted, and its client.
async fn with_portal(cluster: &Cluster) -> (Client, Vec<u8>) {
    let operator = cluster.operator();
    operator.create_key("app/portal/own").await.unwrap();
    let portal = cluster.enlist(Role::App, "portal").await;
    let none = EncryptionContext::new();
    let encrypted = portal.encrypt("app/portal/own", b"x", &none).await;
    (portal, encrypted.unwrap().blob)
}

// Mutation: without the charge in use_key, or when a refusal is counted too.
#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_identity_opens_so_much_a_day_and_no_more() {
    let cluster = Cluster::of_one().await;
    let operator = cluster.operator();
    let (portal, blob) = with_portal(&cluster).await;
    let limits = [
        limit(QuotaClass::Opens, 1_000, Duration::from_secs(1)),
        limit(QuotaClass::Opens, 5, DAY),
    ];
    operator
        .put_quota(Role::App, Some("portal"), &limits)
        .await
        .unwrap();
    let none = EncryptionContext::new();
    for _ in 0..5 {
        portal.decrypt(&blob, &none).await.unwrap();
    }
    let refused = portal.decrypt(&blob, &none).await.err().unwrap();
    assert_eq!(refused.reason(), Reason::Quota, "{refused}");
    let wait = refused.retry_after().unwrap();
    assert!(
        wait > DAY - Duration::from_secs(600) && wait < DAY * 17 / 16,
        "{wait:?}"
    );
    assert!(
        refused.message().contains("5 opens in 86400 s"),
        "{refused}"
    );
    // What is not opened goes on, and so do others.
    portal.encrypt("app/portal/own", b"x", &none).await.unwrap();
    operator.decrypt(&blob, &none).await.unwrap();
    // More is allowed at once; what was used counts.
    let raised = [limit(QuotaClass::Opens, 6, DAY)];
    operator
        .put_quota(Role::App, Some("portal"), &raised)
        .await
        .unwrap();
    portal.decrypt(&blob, &none).await.unwrap();
    assert_eq!(
        reason(&portal.decrypt(&blob, &none).await),
        Some(Reason::Quota)
    );
    operator
        .delete_quota(Role::App, Some("portal"))
        .await
        .unwrap();
    portal.decrypt(&blob, &none).await.unwrap();
    let page = get(&cluster.nodes[0].file.listen.ops, "/metrics")
        .await
        .unwrap();
    let told = "ward_quota_refused_total{role=\"app\",class=\"opens\"}";
    assert!(page.contains(told), "{page}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_counts_each_item_and_many_data_keys_each_key() {
    let cluster = Cluster::of_one().await;
    let operator = cluster.operator();
    let (portal, blob) = with_portal(&cluster).await;
    let limits = [
        limit(QuotaClass::Opens, 3, DAY),
        limit(QuotaClass::Makes, 10, DAY),
    ];
    // The quota of all applications that have none of their own.
    operator.put_quota(Role::App, None, &limits).await.unwrap();
    let none = EncryptionContext::new();
    let opens = |count: usize| {
        let mut batch = Batch::new();
        (0..count).for_each(|_| batch.decrypt(&blob, &none));
        batch
    };
    let answers = portal.batch(opens(5)).await.unwrap();
    let opened = answers
        .iter()
        .filter(|answer| matches!(answer, Ok(Used::Decrypted(_))));
    assert_eq!(opened.count(), 3);
    let refused = answers.iter().find(|answer| answer.is_err()).unwrap();
    assert_eq!(reason(refused), Some(Reason::Quota));
    assert!(refused.as_ref().err().unwrap().retry_after().is_some());
    // All of them are refused, and so is the batch: another node may have room.
    assert_eq!(reason(&portal.batch(opens(5)).await), Some(Reason::Quota));

    let kind = DataKeyKind::Object;
    let make = |count| portal.generate_data_keys("app/portal/own", &none, kind, count);
    make(8).await.unwrap();
    assert_eq!(reason(&make(3).await), Some(Reason::Quota));
    make(2).await.unwrap();
    let never = make(11).await.err().unwrap();
    assert_eq!((never.reason(), never.retry_after()), (Reason::Quota, None));
    // Who is denied uses nothing up.
    let denied = portal.encrypt("app/other/own", b"x", &none).await;
    assert_eq!(reason(&denied), Some(Reason::Denied));
    cluster.stop().await;
}

// Mutation: with the whole limit at each node it serves three times as much; when the client takes
// the first node's refusal for the answer, a third.
#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_together_serve_the_limit_whoever_is_asked() {
    let cluster = Cluster::of_three().await;
    let operator = cluster.operator();
    let (_, blob) = with_portal(&cluster).await;
    let limits = [limit(QuotaClass::Opens, 30, DAY)];
    operator
        .put_quota(Role::App, Some("portal"), &limits)
        .await
        .unwrap();
    let listed = operator.list_quotas().await.unwrap();
    assert_eq!((listed.quotas.len(), listed.nodes), (1, 3));
    let none = EncryptionContext::new();
    let dir = IdentityDir::new(cluster.dir.path().join("app-portal"));
    let endpoints = IdentityDir::new(cluster.dir.path().join("operator")).load_endpoints();
    dir.store_endpoints(&endpoints.unwrap()).unwrap();
    let portal = Client::open(dir.path()).unwrap();
    let mut served = 0;
    while served < 100 {
        match portal.decrypt(&blob, &none).await {
            Ok(_) => served += 1,
            Err(refused) => {
                assert_eq!(refused.reason(), Reason::Quota, "{refused}");
                break;
            }
        }
    }
    assert_eq!(served, 30);
    for n in 1..=3 {
        let one = Client::builder().dir(dir.path()).only_node(n);
        let refused = one.open().unwrap().decrypt(&blob, &none).await;
        assert_eq!(reason(&refused), Some(Reason::Quota), "node {n}");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_have_no_quota_and_operators_contain_when_theirs_is_used_up() {
    let cluster = Cluster::of_one().await;
    let operator = cluster.operator();
    let core = cluster.enlist(Role::Gateway, "core").await;
    let announced = core.announce_gateway(GatewayRole::Core, Some("127.0.0.1:1"));
    announced.await.unwrap();
    let device = NewDevice {
        id: "mon-1".into(),
        ..NewDevice::default()
    };
    operator.enroll_device(&device).await.unwrap();
    let limits = [limit(QuotaClass::Uses, 1, DAY)];
    for id in [None, Some("core")] {
        let refused = operator.put_quota(Role::Gateway, id, &limits).await;
        assert_eq!(reason(&refused), Some(Reason::InvalidArgument));
    }
    operator
        .put_quota(Role::Operator, None, &limits)
        .await
        .unwrap();
    let none = EncryptionContext::new();
    operator.encrypt("device/mon-1", b"x", &none).await.unwrap();
    let refused = operator.encrypt("device/mon-1", b"x", &none).await;
    assert_eq!(reason(&refused), Some(Reason::Quota));
    // Only uses of keys are counted.
    operator.revoke_device("mon-1", None).await.unwrap();
    let refused = cluster.enlist(Role::App, "portal").await;
    let limits = refused.put_quota(Role::App, None, &limits).await;
    assert_eq!(reason(&limits), Some(Reason::Denied));
    cluster.stop().await;
}
