//! Labels and aliases: found by them, moved by compare-and-swap, and nothing cached is left over.

use envelope::context::EncryptionContext;
use kms_client::Error;
use kms_client::identity::Role;
use kms_client::model::{DataKeyKind, Labels, NewKey};
use kms_client::reason::Reason;

use crate::harness::Cluster;

fn reason<T>(result: Result<T, Error>) -> Option<Reason> {
    result.err().map(|error| error.reason())
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(pair).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_is_good_wherever_a_key_is_named_and_moves_on_every_node_at_once() {
    let cluster = Cluster::of_three().await;
    let (leader, none) = (cluster.operator(), EncryptionContext::new());
    let nodes = [1, 2, 3].map(|n| cluster.operator_at(n));
    let one = leader.create_key("one").await.unwrap();
    let two = leader.create_key("two").await.unwrap();
    let made = leader.create_alias("alias/current", "one").await.unwrap();
    assert_eq!((made.key_name.as_str(), made.revision), ("one", 1));
    let mut revision = made.revision;
    for round in 0..6 {
        let (now, next) = match round % 2 {
            0 => (&one, &two),
            _ => (&two, &one),
        };
        for node in &nodes {
            let sealed = node
                .encrypt("alias/current", b"canary", &none)
                .await
                .unwrap();
            assert_eq!(sealed.key_id, now.id, "round {round}");
            node.decrypt(&sealed.blob, &none).await.unwrap();
        }
        let moved = nodes[round % 3]
            .move_alias("alias/current", next.id, revision)
            .await;
        let stale = leader.move_alias("alias/current", now.id, revision).await;
        assert_eq!(reason(stale), Some(Reason::Conflict));
        revision = moved.unwrap().revision;
    }
    let described = leader.describe_key("alias/current").await.unwrap();
    assert_eq!(
        (described.name.as_str(), &described.aliases[..]),
        ("one", &["alias/current".to_owned()][..])
    );
    leader.rotate_key("alias/current", None).await.unwrap();
    leader.disable_key("alias/current").await.unwrap();
    let refused = leader.encrypt("one", b"x", &none).await;
    assert_eq!(reason(refused), Some(Reason::KeyDisabled));
    leader
        .delete_alias("alias/current", revision)
        .await
        .unwrap();
    for node in &nodes {
        let refused = node.encrypt("alias/current", b"x", &none).await;
        assert_eq!(reason(refused), Some(Reason::KeyNotFound));
    }
    assert_eq!(leader.list_aliases("").await.unwrap(), []);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aliases_are_refused_with_reasons_and_give_nobody_more_than_the_key_s_own_name_does() {
    let cluster = Cluster::of_one().await;
    let (operator, none) = (cluster.operator(), EncryptionContext::new());
    for key in ["app/portal/k", "app/other/k"] {
        operator.create_key(key).await.unwrap();
    }
    let portal = cluster.enlist(Role::App, "portal").await;
    operator
        .create_alias("alias/own", "app/portal/k")
        .await
        .unwrap();
    operator
        .create_alias("alias/foreign", "app/other/k")
        .await
        .unwrap();
    portal.encrypt("alias/own", b"x", &none).await.unwrap();
    let denied = [
        reason(portal.encrypt("alias/foreign", b"x", &none).await),
        reason(portal.encrypt("alias/none", b"x", &none).await),
        reason(portal.create_alias("alias/mine", "app/portal/k").await),
        reason(portal.move_alias("alias/foreign", "app/portal/k", 1).await),
        reason(portal.delete_alias("alias/own", 1).await),
        reason(portal.list_aliases("").await),
        reason(
            portal
                .set_key_labels("app/portal/k", &Labels::new(), &[])
                .await,
        ),
    ];
    assert!(
        denied.iter().all(|it| *it == Some(Reason::Denied)),
        "{denied:?}"
    );

    for (refused, expected) in [
        (
            operator.create_alias("alias/own", "app/other/k").await,
            Reason::NameTaken,
        ),
        (
            operator.create_alias("own", "app/other/k").await,
            Reason::InvalidArgument,
        ),
        (
            operator.create_alias("alias/new", "none").await,
            Reason::KeyNotFound,
        ),
        (
            operator.move_alias("alias/new", "app/other/k", 1).await,
            Reason::AliasNotFound,
        ),
    ] {
        assert_eq!(reason(refused), Some(expected));
    }
    let unknown = operator.delete_alias("alias/new", 1).await;
    assert_eq!(reason(unknown), Some(Reason::AliasNotFound));
    let name = operator.create_key("alias/key").await;
    assert_eq!(reason(name), Some(Reason::InvalidArgument));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_by_their_labels() {
    let cluster = Cluster::of_one().await;
    let client = cluster.operator();
    for at in 0..30 {
        let site = if at % 3 == 0 { "north" } else { "south" };
        let key = NewKey {
            labels: labels(&[("site", site), ("number", &at.to_string())]),
            ..NewKey::from(format!("key-{at:02}"))
        };
        let made = client.create_key(key).await.unwrap();
        assert_eq!(made.labels["site"], site);
    }
    let listed = |prefix: &'static str, pairs: &'static [(&str, &str)]| {
        let client = client.clone();
        async move {
            let keys = client.list_labelled_keys(prefix, &labels(pairs)).await;
            keys.unwrap()
                .into_iter()
                .map(|key| key.name)
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(listed("", &[("site", "north")]).await.len(), 10);
    assert_eq!(
        listed("key-2", &[("site", "north")]).await,
        ["key-21", "key-24", "key-27"]
    );
    assert_eq!(
        listed("", &[("site", "north"), ("number", "6")]).await,
        ["key-06"]
    );
    assert_eq!(
        listed("", &[("site", "north"), ("number", "7")]).await,
        [""; 0]
    );
    assert_eq!(listed("", &[]).await.len(), 30);

    let now = client
        .set_key_labels(
            "key-00",
            &labels(&[("site", "west")]),
            &["number".to_owned()],
        )
        .await
        .unwrap();
    assert_eq!(now.labels, labels(&[("site", "west")]));
    assert_eq!(listed("", &[("site", "west")]).await, ["key-00"]);
    let bad = client
        .set_key_labels("key-00", &labels(&[("Site", "x")]), &[])
        .await;
    assert_eq!(reason(bad), Some(Reason::InvalidArgument));
    // A data key is got as before: labels are no part of what a key is.
    let kind = DataKeyKind::Object;
    let none = EncryptionContext::new();
    client
        .generate_data_key("key-00", &none, kind)
        .await
        .unwrap();
    cluster.stop().await;
}
