//! Single versions of keys: what is disabled or too old is refused by every node at once.

use envelope::context::EncryptionContext;
use envelope::id::KeyVersion;
use kms_client::identity::Role;
use kms_client::model::{DataKeyKind, KeyState, KeyType, NewKey};
use kms_client::reason::Reason;
use kms_client::{Client, Error};

use crate::harness::Cluster;

fn reason<T>(result: Result<T, Error>) -> Option<Reason> {
    result.err().map(|error| error.reason())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_disabled_through_one_node_is_refused_by_every_other_at_once() {
    let cluster = Cluster::of_three().await;
    let none = EncryptionContext::new();
    let nodes = [1, 2, 3].map(|n| cluster.operator_at(n));
    let leader = cluster.operator();
    let first = KeyVersion(1);
    for round in 0..6 {
        let name = &*format!("key-{round}");
        leader.create_key(name).await.unwrap();
        let old = leader.encrypt(name, b"canary", &none).await.unwrap().blob;
        leader.rotate_key(name, Some(first)).await.unwrap();
        let new = leader.encrypt(name, b"canary", &none).await.unwrap().blob;
        // Everything is unwrapped and cached everywhere.
        for node in &nodes {
            node.decrypt(&old, &none).await.unwrap();
            node.decrypt(&new, &none).await.unwrap();
        }
        let (expected, undo) = match round % 2 {
            0 => {
                let now = nodes[round % 3]
                    .disable_key_version(name, first)
                    .await
                    .unwrap();
                assert_eq!(now.versions[0].state, KeyState::Disabled);
                (Reason::VersionDisabled, true)
            }
            _ => {
                let second = Some(KeyVersion(2));
                let now = nodes[round % 3]
                    .set_key_minimum(name, None, second)
                    .await
                    .unwrap();
                assert_eq!((now.minimum_encrypt.0, now.minimum_decrypt.0), (2, 2));
                (Reason::VersionTooOld, false)
            }
        };
        for node in &nodes {
            let refused = node.decrypt(&old, &none).await;
            assert_eq!(reason(refused), Some(expected), "round {round}");
            let moved = node.re_encrypt(&old, &none, None, &none).await;
            assert_eq!(reason(moved), Some(expected), "round {round}");
            node.decrypt(&new, &none).await.unwrap();
            node.encrypt(name, b"x", &none).await.unwrap();
        }
        match undo {
            true => leader.enable_key_version(name, first).await.unwrap(),
            false => leader
                .set_key_minimum(name, None, Some(first))
                .await
                .unwrap(),
        };
        for node in &nodes {
            node.decrypt(&old, &none).await.unwrap();
        }
    }
    cluster.stop().await;
}

async fn signing_key(client: &Client, name: &str) {
    let key_type = KeyType::Ed25519;
    let key = NewKey {
        key_type,
        ..NewKey::from(name)
    };
    client.create_key(key).await.unwrap();
    client.rotate_key(name, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minimum_to_encrypt_ends_signing_with_old_versions_and_leaves_verifying() {
    let cluster = Cluster::of_one().await;
    let client = cluster.operator();
    let (first, second) = (KeyVersion(1), KeyVersion(2));
    signing_key(&client, "reports").await;
    let old = client
        .sign("reports", b"message", Some(first))
        .await
        .unwrap();
    client
        .set_key_minimum("reports", Some(second), None)
        .await
        .unwrap();
    let refused = client.sign("reports", b"message", Some(first)).await;
    assert_eq!(reason(refused), Some(Reason::VersionTooOld));
    client.sign("reports", b"message", None).await.unwrap();
    client
        .verify("reports", first, b"message", &old.bytes)
        .await
        .unwrap();

    client
        .set_key_minimum("reports", None, Some(second))
        .await
        .unwrap();
    let refused = client
        .verify("reports", first, b"message", &old.bytes)
        .await;
    assert_eq!(reason(refused), Some(Reason::VersionTooOld));

    let invalid = [
        client
            .set_key_minimum("reports", Some(KeyVersion(3)), None)
            .await,
        client
            .set_key_minimum("reports", Some(first), Some(second))
            .await,
        client.set_key_minimum("reports", None, None).await,
        client.disable_key_version("reports", KeyVersion(0)).await,
    ];
    for refused in invalid {
        assert_eq!(reason(refused), Some(Reason::InvalidArgument));
    }
    let unknown = client.disable_key_version("reports", KeyVersion(3)).await;
    assert_eq!(reason(unknown), Some(Reason::KeyNotFound));

    // A disabled primary makes nothing new until the key is rotated.
    client.disable_key_version("reports", second).await.unwrap();
    let refused = client.sign("reports", b"message", None).await;
    assert_eq!(reason(refused), Some(Reason::VersionDisabled));
    client.rotate_key("reports", Some(second)).await.unwrap();
    client.sign("reports", b"message", None).await.unwrap();
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_keys_of_a_refused_version_do_not_open_and_applications_change_no_version() {
    let cluster = Cluster::of_one().await;
    let (operator, none) = (cluster.operator(), EncryptionContext::new());
    operator.create_key("app/portal/k").await.unwrap();
    let portal = cluster.enlist(Role::App, "portal").await;
    let kind = DataKeyKind::Object;
    let made = portal
        .generate_data_key("app/portal/k", &none, kind)
        .await
        .unwrap();
    let denied = [
        portal
            .disable_key_version("app/portal/k", KeyVersion(1))
            .await,
        portal
            .enable_key_version("app/portal/k", KeyVersion(1))
            .await,
        portal
            .set_key_minimum("app/portal/k", Some(KeyVersion(1)), None)
            .await,
    ];
    for refused in denied {
        assert_eq!(reason(refused), Some(Reason::Denied));
    }
    operator
        .disable_key_version("app/portal/k", KeyVersion(1))
        .await
        .unwrap();
    let refused = portal.unwrap_data_key(&made.wrapped, &made.context).await;
    assert_eq!(reason(refused), Some(Reason::VersionDisabled));
    let refused = portal.generate_data_key("app/portal/k", &none, kind).await;
    assert_eq!(reason(refused), Some(Reason::VersionDisabled));
    cluster.stop().await;
}

// Mutation: looked for before the permission, a missing version tells who may not use the key which
// ones there are, and by an alias its owner is denied what only is not there.
#[tokio::test(flavor = "multi_thread")]
async fn which_versions_a_key_has_is_told_to_who_may_use_it_alone() {
    let cluster = Cluster::of_one().await;
    let (operator, none) = (cluster.operator(), EncryptionContext::new());
    for name in ["app/portal/k", "app/other/k"] {
        signing_key(&operator, name).await;
    }
    let foreign = operator.describe_key("app/other/k").await.unwrap().id;
    operator
        .create_alias("alias/own", "app/portal/k")
        .await
        .unwrap();
    let portal = cluster.enlist(Role::App, "portal").await;
    for (version, own) in [(2, None), (3, Some(Reason::KeyNotFound))] {
        let version = KeyVersion(version);
        let signed = portal.sign(foreign, b"x", Some(version)).await;
        assert_eq!(reason(signed), Some(Reason::Denied), "{version:?}");
        let verified = portal.verify(foreign, version, b"x", b"y").await;
        assert_eq!(reason(verified), Some(Reason::Denied), "{version:?}");
        for name in ["app/portal/k", "alias/own"] {
            let signed = portal.sign(name, b"x", Some(version)).await;
            assert_eq!(reason(signed), own, "{name} {version:?}");
        }
    }

    // A blob names a version too.
    let key = operator.create_key("app/other/aes").await.unwrap();
    let mut blob = operator.encrypt(key.id, b"x", &none).await.unwrap().blob;
    let id = key.id.as_bytes();
    let at = blob.windows(16).position(|it| it == id).unwrap();
    for (version, own) in [(1, None), (9, Some(Reason::OpenFailed))] {
        blob[at + 19] = version;
        let opened = portal.decrypt(&blob, &none).await;
        assert_eq!(reason(opened), Some(Reason::Denied), "{version}");
        assert_eq!(
            reason(operator.decrypt(&blob, &none).await),
            own,
            "{version}"
        );
    }
    cluster.stop().await;
}
