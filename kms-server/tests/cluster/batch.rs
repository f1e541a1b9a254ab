//! Batches: each item is decided, done, recorded and answered by itself.

use envelope::context::EncryptionContext;
use kms_client::Batch;
use kms_client::identity::Role;
use kms_client::model::{DataKeyKind, KeyType, NewKey, Used};
use kms_client::reason::Reason;

use crate::audit::records;
use crate::harness::Cluster;

// Mutation: the first refusal ends the batch; one item's answer in another one's place.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_keeps_nothing_else_from_being_done() {
    let cluster = Cluster::of_one().await;
    let (client, none) = (cluster.operator(), EncryptionContext::new());
    for key in ["open", "shut"] {
        client.create_key(key).await.unwrap();
    }
    let signs = NewKey {
        key_type: KeyType::Ed25519,
        ..NewKey::from("signs")
    };
    client.create_key(signs).await.unwrap();
    let blob = client.encrypt("open", b"note", &none).await.unwrap().blob;
    client.disable_key("shut").await.unwrap();
    let mut other = EncryptionContext::new();
    other.insert("patient", "4711").unwrap();

    let mut batch = Batch::new();
    batch.encrypt("shut", b"x", &none);
    batch.decrypt(&blob, &none);
    batch.decrypt(&blob, &other);
    batch.generate_data_keys("open", &none, DataKeyKind::Object, 2);
    batch.sign("open", b"x", None);
    batch.sign("signs", b"x", None);
    batch.generate_random(8);
    let made = client.batch(batch).await.unwrap();
    let seen: Vec<_> = made
        .iter()
        .map(|made| match made {
            Ok(Used::Decrypted(opened)) if opened.plaintext.expose() == b"note" => "opened".into(),
            Ok(Used::DataKeys(made)) => format!("{} data keys", made.keys.len()),
            Ok(Used::Signature(_)) => "signed".into(),
            Ok(Used::Random(bytes)) => format!("{} bytes", bytes.expose().len()),
            Ok(_) => "another".into(),
            Err(error) => error.reason().to_string(),
        })
        .collect();
    let expected = [
        "KEY_DISABLED",
        "opened",
        "OPEN_FAILED",
        "2 data keys",
        "KEY_USAGE",
        "signed",
        "8 bytes",
    ];
    assert_eq!(seen, expected);
    // Each has its record, by the action that it is.
    assert_eq!(records(&cluster, "Decrypt").len(), 2);
    let signed = records(&cluster, "Sign");
    let outcomes: Vec<_> = signed.iter().map(|record| &record["outcome"]).collect();
    assert_eq!(signed.len(), 2, "{outcomes:?}");
    assert!(records(&cluster, "Batch").is_empty());
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_needs_its_own_permission() {
    let cluster = Cluster::of_one().await;
    let none = EncryptionContext::new();
    cluster.operator().create_key("lab").await.unwrap();
    cluster
        .operator()
        .create_key("app/portal/own")
        .await
        .unwrap();
    let portal = cluster.enlist(Role::App, "portal").await;
    let mut batch = Batch::new();
    batch.encrypt("lab", b"x", &none);
    batch.encrypt("app/portal/own", b"x", &none);
    let made = portal.batch(batch).await.unwrap();
    let denied = made[0].as_ref().err().map(kms_client::Error::reason);
    assert_eq!(denied, Some(Reason::Denied));
    assert!(matches!(made[1], Ok(Used::Encrypted(_))));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_nothing_or_of_too_much_is_refused() {
    let cluster = Cluster::of_one().await;
    let (client, none) = (cluster.operator(), EncryptionContext::new());
    client.create_key("open").await.unwrap();
    let (mut many, mut keys) = (Batch::new(), Batch::new());
    for _ in 0..257 {
        many.generate_random(1);
    }
    for count in [1_000, 1] {
        keys.generate_data_keys("open", &none, DataKeyKind::Object, count);
    }
    for (batch, told) in [
        (Batch::new(), "1 to 256 items"),
        (many, "1 to 256 items"),
        (keys, "1 000 data keys"),
    ] {
        let refused = client.batch(batch).await.err().unwrap();
        assert_eq!(refused.reason(), Reason::InvalidArgument);
        assert!(refused.message().contains(told), "{refused}");
    }
    let mut most = Batch::new();
    for _ in 0..256 {
        most.encrypt("open", &[7; 1_024], &none);
    }
    let made = client.batch(most).await.unwrap();
    assert!(made.iter().all(Result::is_ok));
    cluster.stop().await;
}
