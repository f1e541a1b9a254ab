//! Keys of material from elsewhere: sealed by the client, opened by whichever node leads.

use std::time::Duration;

use envelope::context::EncryptionContext;
use envelope::secret::SecretBytes;
use envelope::signature::{self, Algorithm};
use kms_client::Error;
use kms_client::identity::Role;
use kms_client::model::{ImportParameters, KeyType};
use kms_client::reason::Reason;

use crate::harness::{Cluster, eventually};

fn reason<T>(result: Result<T, Error>) -> Option<Reason> {
    result.err().map(|error| error.reason())
}

fn secret(byte: u8) -> SecretBytes {
    SecretBytes::new(vec![byte; 32])
}

#[tokio::test(flavor = "multi_thread")]
async fn material_of_every_type_is_imported_once_and_used() {
    let cluster = Cluster::of_one().await;
    let (client, none) = (cluster.operator(), EncryptionContext::new());
    let pkcs8 = |algorithm| signature::generate(algorithm);
    let ed25519 = pkcs8(Algorithm::Ed25519);
    let public = signature::public_key(Algorithm::Ed25519, &ed25519).unwrap();
    for (name, key_type, material) in [
        ("aes", KeyType::Aes256Gcm, secret(1)),
        ("hmac", KeyType::HmacSha256, secret(2)),
        ("ed25519", KeyType::Ed25519, ed25519),
        ("p256", KeyType::EcdsaP256, pkcs8(Algorithm::EcdsaP256)),
    ] {
        let parameters = client.get_import_parameters(name, key_type, None).await;
        let parameters = parameters.unwrap();
        let wrapped = parameters.wrap(&material).unwrap();
        let import_id = parameters.import_id;
        let key = client
            .import_key(&import_id, wrapped.clone())
            .await
            .unwrap();
        assert_eq!((&*key.name, key.key_type), (name, key_type));
        assert!(key.imported);
        // Used parameters, whatever is brought.
        let again = client.import_key(&import_id, wrapped).await;
        assert_eq!(reason(again), Some(Reason::ImportInvalid));
        // The same material under another name.
        let other = client.get_import_parameters("other", key_type, None).await;
        let other = other.unwrap();
        let wrapped = other.wrap(&material).unwrap();
        let known = client.import_key(&other.import_id, wrapped).await;
        assert_eq!(reason(known), Some(Reason::MaterialKnown), "{name}");
    }
    let sealed = client.encrypt("aes", b"value", &none).await.unwrap();
    let opened = client.decrypt(&sealed.blob, &none).await.unwrap();
    assert_eq!(opened.plaintext.expose(), b"value");
    // It is the material that was brought: other programs agree.
    let key = envelope::secret::SecretKey::from_slice(&[2; 32]).unwrap();
    let mac = client.generate_mac("hmac", b"message", None).await.unwrap();
    envelope::mac::verify(&key, b"message", &mac.bytes).unwrap();
    let signed = client.sign("ed25519", b"message", None).await.unwrap();
    signature::verify(Algorithm::Ed25519, &public, b"message", &signed.bytes).unwrap();
    client.sign("p256", b"message", None).await.unwrap();

    let made = client.create_key("made").await.unwrap();
    assert!(!made.imported);
    let listed = client.list_keys("").await.unwrap();
    let imported = listed.iter().filter(|key| key.imported);
    assert_eq!(imported.count(), 4);
    // The cluster rotates it as any other.
    client.rotate_key("aes", None).await.unwrap();
    client.decrypt(&sealed.blob, &none).await.unwrap();
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sealed_for_something_else_or_is_no_material_is_refused() {
    let cluster = Cluster::of_one().await;
    let client = cluster.operator();
    let parameters = client.get_import_parameters("k", KeyType::Aes256Gcm, None);
    let parameters = parameters.await.unwrap();
    let import_id = parameters.import_id;
    let import = async |wrapped| reason(client.import_key(&import_id, wrapped).await);
    let elsewhere = [
        ImportParameters {
            name: "l".to_owned(),
            ..parameters.clone()
        },
        ImportParameters {
            key_type: KeyType::HmacSha256,
            ..parameters.clone()
        },
        ImportParameters {
            import_id: [7; 16],
            ..parameters.clone()
        },
        ImportParameters {
            cluster_id: envelope::id::ClusterId::from_bytes([7; 16]),
            ..parameters.clone()
        },
        ImportParameters {
            public_key: [9; 32],
            ..parameters.clone()
        },
    ];
    for other in elsewhere {
        let wrapped = other.wrap(&secret(1)).unwrap();
        assert_eq!(import(wrapped).await, Some(Reason::OpenFailed), "{other:?}");
    }
    assert_eq!(import(Vec::new()).await, Some(Reason::OpenFailed));
    assert_eq!(import(vec![7; 80]).await, Some(Reason::OpenFailed));
    assert_eq!(import(vec![7; 4_097]).await, Some(Reason::InvalidArgument));
    // The client's own look at the length can be gone round.
    let short = envelope::hpke::seal(&parameters.public_key, &parameters.info(), &[7; 31]);
    let refused = import(short.unwrap()).await;
    assert_eq!(refused, Some(Reason::InvalidArgument));
    // None of it used the parameters up.
    let wrapped = parameters.wrap(&secret(1)).unwrap();
    client.import_key(&import_id, wrapped).await.unwrap();

    let taken = client.get_import_parameters("k", KeyType::Aes256Gcm, None);
    assert_eq!(reason(taken.await), Some(Reason::NameTaken));
    for (name, ttl) in [
        ("device/x", None),
        ("alias/x", None),
        ("", None),
        ("x", Some(Duration::from_secs(24 * 60 * 60 + 1))),
    ] {
        let refused = client.get_import_parameters(name, KeyType::Aes256Gcm, ttl);
        assert_eq!(
            reason(refused.await),
            Some(Reason::InvalidArgument),
            "{name}"
        );
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_one_callers_and_end_and_any_leader_finishes_the_import() {
    let cluster = Cluster::of_three().await;
    let client = cluster.operator();
    let other = cluster.enlist(Role::Operator, "bob").await;
    let portal = cluster.enlist(Role::App, "portal").await;
    let parameters = client.get_import_parameters("k", KeyType::Aes256Gcm, None);
    let parameters = parameters.await.unwrap();
    let wrapped = parameters.wrap(&secret(1)).unwrap();
    let import_id = parameters.import_id;
    let foreign = other.import_key(&import_id, wrapped.clone()).await;
    assert_eq!(reason(foreign), Some(Reason::ImportInvalid));
    let denied = portal.import_key(&import_id, wrapped.clone()).await;
    assert_eq!(reason(denied), Some(Reason::Denied));
    let denied = portal.get_import_parameters("app/portal/k", KeyType::Aes256Gcm, None);
    assert_eq!(reason(denied.await), Some(Reason::Denied));
    let unknown = client.import_key(&[7; 16], wrapped.clone()).await;
    assert_eq!(reason(unknown), Some(Reason::ImportInvalid));

    client.transfer_leadership(None).await.unwrap();
    let key = client.import_key(&import_id, wrapped).await.unwrap();
    assert!(key.imported);

    let brief = Some(Duration::from_millis(1));
    let brief = client.get_import_parameters("l", KeyType::Aes256Gcm, brief);
    match brief.await {
        Ok(brief) => {
            let wrapped = brief.wrap(&secret(2)).unwrap();
            eventually("its time to be over", || async {
                let now_ms = sys::clock::wall_ms();
                now_ms > brief.expires_ms
            })
            .await;
            let over = client.import_key(&brief.import_id, wrapped).await;
            assert_eq!(reason(over), Some(Reason::ImportInvalid));
        }
        // It was over before its answer was made.
        Err(over) => assert_eq!(over.reason(), Reason::ImportInvalid),
    }
    cluster.stop().await;
}
