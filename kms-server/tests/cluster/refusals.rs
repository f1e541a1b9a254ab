//! Who and what is refused, and with which reason.

use std::time::Duration;

use envelope::context::EncryptionContext;
use kms_client::Client;
use kms_client::identity::{IdentityDir, Role};
use kms_client::reason::Reason;
use kms_client::testing::Authority;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::harness::{Cluster, PATIENCE, TTL, config_file};

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_authority_gets_nothing() {
    let cluster = Cluster::of_one().await;
    let foreign = Authority::new("ward.test").identity(Role::Operator, "admin");
    let endpoints = IdentityDir::new(cluster.dir.path().join("operator")).load_endpoints();
    let client = Client::builder()
        .identity(foreign)
        .endpoints(endpoints.unwrap())
        .deadline(Duration::from_secs(3))
        .open()
        .unwrap();
    let refused = client.cluster_status().await.err().unwrap();
    assert_eq!(refused.reason(), Reason::CertificateForeign, "{refused}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_no_tls_is_hung_up_on_and_who_is_silent_too() {
    let cluster = Cluster::of_one().await;
    let listen = &cluster.nodes[0].file.listen;
    for address in [&listen.api, &listen.peer, &listen.join] {
        let mut silent = TcpStream::connect(address).await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut rest)).await;
        ended.expect("hung up in time").unwrap_or_default();
        assert!(rest.is_empty());
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_is_denied_what_operators_do_and_other_applications_keys() {
    let cluster = Cluster::of_one().await;
    let operator = cluster.operator();
    operator.create_key("app/reader/own").await.unwrap();
    operator.create_key("app/other/own").await.unwrap();
    let reader = cluster.enlist(Role::App, "reader").await;
    let context = EncryptionContext::new();
    reader
        .encrypt("app/reader/own", b"x", &context)
        .await
        .unwrap();
    let refusals = [
        reader.encrypt("app/other/own", b"x", &context).await.err(),
        reader.create_key("mine").await.err(),
        reader.disable_key("app/reader/own").await.err(),
        // Whether a key exists is not told to who may not use it.
        reader.encrypt("app/other/none", b"x", &context).await.err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.unwrap().reason(), Reason::Denied);
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_token_serves_one_key_and_one_role() {
    let cluster = Cluster::of_one().await;
    let token = cluster
        .operator()
        .create_join_token(Role::App, Some("reader"), TTL)
        .await;
    let token = token.unwrap().token;
    let join = &cluster.nodes[0].file.listen.join;
    let csr = |name: &str| {
        IdentityDir::new(cluster.dir.path().join(name))
            .create_csr()
            .unwrap()
    };
    let first = kms_client::join::join(join, &token, &csr("first"), None)
        .await
        .unwrap();
    let again = kms_client::join::join(join, &token, &csr("first"), None)
        .await
        .unwrap();
    assert_eq!(first.ca, again.ca);
    let stolen = kms_client::join::join(join, &token, &csr("second"), None)
        .await
        .err()
        .unwrap();
    assert_eq!(stolen.reason(), Reason::TokenInvalid);

    let node = kms_server::JoinOptions {
        config: kms_server::Config::from_file(config_file(cluster.dir.path(), 2)).unwrap(),
        endpoint: join.clone(),
        token: token.encode().unwrap(),
    };
    let refused = kms_server::join(node).await.err().unwrap();
    assert_eq!(refused.reason(), Reason::TokenInvalid);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_makes_nobody_what_its_text_was_changed_to() {
    let cluster = Cluster::of_one().await;
    let operator = cluster.operator();
    let token = operator.create_join_token(Role::App, Some("reader"), TTL);
    let mut token = token.await.unwrap().token;
    let join = &cluster.nodes[0].file.listen.join;
    let folder = IdentityDir::new(cluster.dir.path().join("forger"));
    let csr = folder.create_csr().unwrap();
    let made_for = token.role;
    for forged in (0..=u8::MAX).filter(|number| *number != made_for).take(8) {
        token.role = forged;
        let refused = kms_client::join::join(join, &token, &csr, None).await.err();
        assert_eq!(refused.unwrap().reason(), Reason::TokenInvalid, "{forged}");
    }
    // The name in the text is the holder's to read and nobody's to choose.
    (token.role, token.id) = (made_for, "admin".to_owned());
    let joined = kms_client::join::join(join, &token, &csr, None).await;
    let identity = joined.unwrap().store(&folder).unwrap();
    assert_eq!(identity.id().to_string(), "spiffe://ward.test/app/reader");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_named_and_so_is_a_directory_in_use() {
    let cluster = Cluster::of_one().await;
    let mut file = cluster.nodes[0].file.clone();
    let config = kms_server::Config::from_file(file.clone()).unwrap();
    let refused = kms_server::run_until(config, std::future::pending())
        .await
        .err()
        .unwrap();
    assert_eq!(refused.reason(), Reason::Locked);

    let other = tempfile::tempdir().unwrap();
    file.data_dir = other.path().join("node-1");
    let config = kms_server::Config::from_file(file.clone()).unwrap();
    let refused = kms_server::run_until(config, std::future::pending())
        .await
        .err()
        .unwrap();
    assert_eq!(refused.reason(), Reason::NotInitialised);
    for name in ["identity.toml", "tls/key.pem", "tls/cert.pem", "tls/ca.pem"] {
        let (from, to) = (
            cluster.nodes[0].file.data_dir.join(name),
            file.data_dir.join(name),
        );
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(from, to).unwrap();
    }
    let config = kms_server::Config::from_file(file).unwrap();
    let refused = kms_server::run_until(config, std::future::pending())
        .await
        .err()
        .unwrap();
    assert_eq!(refused.reason(), Reason::PortInUse);
    cluster.stop().await;
}

// CVE-2026-39388: a certificate that renews another identity.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_renews_another_identity() {
    use kms_client::tls::{ALPN_H2, ExpectedPeer, client_config};
    use ward_proto::v1::IssueCertificateRequest;
    use ward_proto::v1::certificate_service_client::CertificateServiceClient;

    let cluster = Cluster::of_one().await;
    for id in ["reader", "writer"] {
        cluster.enlist(Role::App, id).await;
    }
    let folder = |id: &str| IdentityDir::new(cluster.dir.path().join(format!("app-{id}")));
    let reader = folder("reader").load().unwrap();
    let nodes = ExpectedPeer::of("ward.test", &[Role::Node]);
    let config = client_config(&reader, nodes, ALPN_H2).unwrap();
    let api = &cluster.nodes[0].file.listen.api;
    let channel = crate::strangers::channel(api, config).await;
    let mut client = CertificateServiceClient::new(channel);
    let mut ask = async |device_id: &str| {
        let request = IssueCertificateRequest {
            csr_der: folder("writer").create_csr().unwrap().into(),
            device_id: device_id.to_owned(),
            write: None,
        };
        client.issue_certificate(request).await
    };
    // Whatever a request brings, a certificate names who asks for it.
    let made = ask("").await.unwrap().into_inner();
    let facts = kms_client::tls::peer_facts(Some(&[made.certificate_der.to_vec().into()]));
    let named = facts.unwrap().id.to_string();
    assert_eq!(named, "spiffe://ward.test/app/reader");
    let refused = ask("mon-1").await.err().unwrap();
    assert_eq!(crate::strangers::reason(&refused), Some("DENIED"));
    cluster.stop().await;
}

// CVE-2025-5999, CVE-2025-6004: names that are judged one way and looked up another.
#[tokio::test(flavor = "multi_thread")]
async fn names_that_look_alike_are_not_the_same() {
    let cluster = Cluster::of_one().await;
    let operator = cluster.operator();
    let others = [
        "app/other/own",
        "app/READER/own",
        "app/reader2/own",
        "app/reader",
    ];
    for name in others {
        operator.create_key(name).await.unwrap();
    }
    operator.create_key("app/reader/own").await.unwrap();
    let reader = cluster.enlist(Role::App, "reader").await;
    let context = EncryptionContext::new();
    let encrypt = async |name: &str| reader.encrypt(name, b"x", &context).await.map(drop);
    encrypt("app/reader/own").await.unwrap();
    for name in others {
        let refused = encrypt(name).await.err().unwrap();
        assert_eq!(refused.reason(), Reason::Denied, "{name}");
    }
    // A name is bytes: nothing in it is resolved, folded or decoded.
    for name in [
        "app/reader/../other/own",
        "app/./reader/own",
        "app//reader/own",
        "App/reader/own",
        "app/reader/own/",
        "app/reader/own\0",
        " app/reader/own",
        "app%2freader%2fown",
        "\u{ff41}pp/reader/own",
        "app/\u{212a}eader/own",
    ] {
        let refused = encrypt(name).await.err().unwrap();
        let reason = refused.reason();
        let known = [Reason::InvalidArgument, Reason::KeyNotFound, Reason::Denied];
        assert!(known.contains(&reason), "{name:?}: {refused}");
    }
    let tokens = ["Reader", "reader ", "r\u{435}ader", "READER"];
    for id in tokens {
        let token = operator.create_join_token(Role::App, Some(id), TTL).await;
        assert_eq!(
            token.err().unwrap().reason(),
            Reason::InvalidArgument,
            "{id:?}"
        );
    }
    cluster.stop().await;
}
