//! Keys that sign or authenticate: each verb for its own types, any version that may be used, and
//! public keys with which others verify.

use envelope::context::EncryptionContext;
use envelope::id::KeyVersion;
use envelope::signature::{Algorithm, verify};
use kms_client::identity::Role;
use kms_client::model::{DataKeyKind, KeyType, NewKey};
use kms_client::reason::Reason;
use kms_client::{Client, Error};

use crate::harness::Cluster;

async fn create(client: &Client, name: &str, key_type: KeyType) {
    let key = NewKey {
        key_type,
        ..NewKey::from(name)
    };
    let made = client.create_key(key).await.unwrap();
    assert_eq!(made.key_type, key_type);
}

fn reason<T>(result: Result<T, Error>) -> Option<Reason> {
    result.err().map(|error| error.reason())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_used_for_what_its_type_is_for() {
    let cluster = Cluster::of_one().await;
    let client = cluster.operator();
    let (none, first) = (EncryptionContext::new(), KeyVersion(1));
    for key_type in KeyType::ALL {
        let name = key_type.as_str();
        create(&client, name, key_type).await;
        assert_eq!(client.describe_key(name).await.unwrap().key_type, key_type);
        let kind = DataKeyKind::Object;
        let encrypts = [
            reason(client.encrypt(name, b"x", &none).await),
            reason(client.generate_data_key(name, &none, kind).await),
            reason(
                client
                    .generate_data_keys_without_plaintext(name, &none, kind, 1)
                    .await,
            ),
        ];
        let authenticates = [
            reason(client.generate_mac(name, b"x", None).await),
            reason(client.verify_mac(name, first, b"x", b"no code").await),
        ];
        let signs = [
            reason(client.sign(name, b"x", None).await),
            reason(client.verify(name, first, b"x", b"no signature").await),
            reason(client.public_key(name, None).await),
        ];
        let all = [&encrypts[..], &authenticates, &signs];
        let own = match key_type {
            KeyType::Aes256Gcm => 0,
            KeyType::HmacSha256 => 1,
            KeyType::Ed25519 | KeyType::EcdsaP256 => 2,
        };
        for (at, refusals) in all.into_iter().enumerate() {
            for refused in refusals {
                let expected = match at == own {
                    true => refused.is_none() || *refused == Some(Reason::VerifyFailed),
                    false => *refused == Some(Reason::KeyUsage),
                };
                assert!(expected, "{name}: verb group {at}: {refused:?}");
            }
        }
    }
    // A blob does not move to a key that cannot open it.
    let sealed = client.encrypt("aes-256-gcm", b"x", &none).await.unwrap();
    let moved = client
        .re_encrypt(&sealed.blob, &none, Some("hmac-sha-256".into()), &none)
        .await;
    assert_eq!(reason(moved), Some(Reason::KeyUsage));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_verified_by_the_version_that_made_it_alone() {
    let cluster = Cluster::of_one().await;
    let client = cluster.operator();
    for (key_type, algorithm) in [
        (KeyType::Ed25519, Algorithm::Ed25519),
        (KeyType::EcdsaP256, Algorithm::EcdsaP256),
    ] {
        let name = key_type.as_str();
        create(&client, name, key_type).await;
        let old = client.sign(name, b"message", None).await.unwrap();
        assert_eq!((old.key_version.0, old.key_type), (1, key_type));
        client.rotate_key(name, None).await.unwrap();
        let new = client.sign(name, b"message", None).await.unwrap();
        assert_eq!(new.key_version.0, 2);
        let asked = client.sign(name, b"message", Some(KeyVersion(1))).await;
        assert_eq!(asked.unwrap().key_version.0, 1);

        for made in [&old, &new] {
            let (version, bytes) = (made.key_version, &made.bytes);
            client
                .verify(name, version, b"message", bytes)
                .await
                .unwrap();
            let public = client.public_key(name, Some(version)).await.unwrap();
            assert_eq!((public.key_version, public.key_type), (version, key_type));
            assert_eq!(verify(algorithm, &public.der, b"message", bytes), Ok(()));
            let refused = client.verify(name, version, b"massage", bytes).await;
            assert_eq!(reason(refused), Some(Reason::VerifyFailed));
            let other = KeyVersion(3 - version.0);
            let refused = client.verify(name, other, b"message", bytes).await;
            assert_eq!(reason(refused), Some(Reason::VerifyFailed));
        }
        let primary = client.public_key(name, None).await.unwrap();
        assert_eq!(primary.key_version.0, 2);
        let unknown = client.public_key(name, Some(KeyVersion(3))).await;
        assert_eq!(reason(unknown), Some(Reason::KeyNotFound));
        let unnamed = client
            .verify(name, KeyVersion(0), b"message", &new.bytes)
            .await;
        assert_eq!(reason(unnamed), Some(Reason::InvalidArgument));
        let long = client.sign(name, &[0; 4_097], None).await;
        assert_eq!(reason(long), Some(Reason::InvalidArgument));

        client.disable_key(name).await.unwrap();
        let refused = client.sign(name, b"message", None).await;
        assert_eq!(reason(refused), Some(Reason::KeyDisabled));
        let refused = client
            .verify(name, new.key_version, b"message", &new.bytes)
            .await;
        assert_eq!(reason(refused), Some(Reason::KeyDisabled));
        // The public key is no secret, and what was signed stays to be verified.
        client.public_key(name, None).await.unwrap();
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_name_their_version_and_applications_use_their_own_keys() {
    let cluster = Cluster::of_one().await;
    let operator = cluster.operator();
    create(&operator, "app/portal/mac", KeyType::HmacSha256).await;
    create(&operator, "app/other/mac", KeyType::HmacSha256).await;
    create(&operator, "app/portal/sign", KeyType::Ed25519).await;
    let portal = cluster.enlist(Role::App, "portal").await;

    let mac = portal
        .generate_mac("app/portal/mac", b"message", None)
        .await
        .unwrap();
    assert_eq!((mac.bytes.len(), mac.key_version.0), (32, 1));
    operator.rotate_key("app/portal/mac", None).await.unwrap();
    let version = mac.key_version;
    let verified = portal
        .verify_mac("app/portal/mac", version, b"message", &mac.bytes)
        .await;
    verified.unwrap();
    let again = portal
        .generate_mac("app/portal/mac", b"message", None)
        .await
        .unwrap();
    assert_eq!(again.key_version.0, 2);
    assert_ne!(again.bytes, mac.bytes);

    let denied = [
        reason(portal.generate_mac("app/other/mac", b"x", None).await),
        reason(
            portal
                .verify_mac("app/other/mac", version, b"x", &mac.bytes)
                .await,
        ),
        // Whether there is a key is not told either.
        reason(portal.sign("app/other/none", b"x", None).await),
        reason(portal.public_key("app/other/none", None).await),
    ];
    assert!(
        denied.iter().all(|it| *it == Some(Reason::Denied)),
        "{denied:?}"
    );
    portal.sign("app/portal/sign", b"x", None).await.unwrap();
    portal.public_key("app/portal/sign", None).await.unwrap();
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_bytes_are_as_many_as_asked_for() {
    let cluster = Cluster::of_one().await;
    let client = cluster.operator();
    let one = client.generate_random(1_024).await.unwrap();
    let other = client.generate_random(1_024).await.unwrap();
    assert_eq!(one.expose().len(), 1_024);
    assert_ne!(one.expose(), other.expose());
    for count in [0, 1_025] {
        let refused = client.generate_random(count).await;
        assert_eq!(reason(refused), Some(Reason::InvalidArgument));
    }
    let edge = cluster.enlist(Role::Gateway, "edge").await;
    assert_eq!(reason(edge.generate_random(1).await), Some(Reason::Denied));
    cluster.stop().await;
}
