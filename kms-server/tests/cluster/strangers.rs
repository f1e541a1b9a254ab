//! What a node's listeners answer to those who do not belong there, below the client library.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use kms_client::identity::{IdentityDir, Role};
use kms_client::tls::{ALPN_H2, ExpectedPeer, client_config, join_client_config, server_name};
use kms_client::{identity::spki_sha256, reason::Reason};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Status};
use ward_proto::admin::v1::CreateKeyRequest;
use ward_proto::admin::v1::key_admin_service_client::KeyAdminServiceClient;
use ward_proto::peer::v1::GetNodeStatusRequest;
use ward_proto::peer::v1::peer_service_client::PeerServiceClient;
use ward_proto::v1::cluster_service_client::ClusterServiceClient;
use ward_proto::v1::{EncryptRequest, GetClusterStatusRequest};

use crate::harness::{Cluster, eventually};

/// A channel to `address` under exactly this TLS configuration.
pub(crate) async fn channel(address: &str, config: rustls::ClientConfig) -> Channel {
    let (config, address) = (Arc::new(config), address.to_owned());
    let dial = tower::service_fn(move |_: Uri| {
        let (connector, address) = (TlsConnector::from(Arc::clone(&config)), address.clone());
        async move {
            let stream = TcpStream::connect(address).await?;
            Ok::<_, std::io::Error>(TokioIo::new(
                connector.connect(server_name(), stream).await?,
            ))
        }
    });
    let endpoint = Endpoint::from_static("http://test.invalid").timeout(Duration::from_secs(10));
    endpoint.connect_with_connector_lazy(dial)
}

pub(crate) fn as_operator(cluster: &Cluster) -> rustls::ClientConfig {
    let identity = IdentityDir::new(cluster.dir.path().join("operator"))
        .load()
        .unwrap();
    let nodes = ExpectedPeer::of("ward.test", &[Role::Node]);
    client_config(&identity, nodes, ALPN_H2).unwrap()
}

pub(crate) fn reason(status: &Status) -> Option<&str> {
    status
        .metadata()
        .get("ward-reason")
        .map(|reason| reason.to_str().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_certificate_gets_nothing() {
    let cluster = Cluster::of_one().await;
    let identity = IdentityDir::new(cluster.dir.path().join("operator"))
        .load()
        .unwrap();
    let authority = spki_sha256(&identity.ca()[0]).unwrap();
    for address in [
        &cluster.nodes[0].file.listen.api,
        &cluster.nodes[0].file.listen.peer,
    ] {
        let config = join_client_config(authority).unwrap();
        let mut client = ClusterServiceClient::new(channel(address, config).await);
        let refused = client
            .get_cluster_status(GetClusterStatusRequest {})
            .await
            .err()
            .unwrap();
        // The handshake ends it: no status of the node's own comes back.
        assert_eq!(reason(&refused), None, "{refused}");
        assert_ne!(refused.code(), Code::Ok);
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_is_no_peer() {
    let cluster = Cluster::of_one().await;
    let peer = &cluster.nodes[0].file.listen.peer;
    let mut client = PeerServiceClient::new(channel(peer, as_operator(&cluster)).await);
    let refused = client
        .get_node_status(GetNodeStatusRequest {})
        .await
        .err()
        .unwrap();
    // The handshake ends it: no status of the node's own comes back.
    assert_eq!(reason(&refused), None, "{refused}");
    assert!(matches!(
        refused.code(),
        Code::Unavailable | Code::Cancelled | Code::Unknown
    ));
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_names_the_leader_for_operator_verbs() {
    let cluster = Cluster::of_three().await;
    let leader = cluster
        .operator()
        .cluster_status()
        .await
        .unwrap()
        .leader
        .unwrap()
        .0;
    for (at, node) in cluster.nodes.iter().enumerate() {
        let channel = channel(&node.file.listen.api, as_operator(&cluster)).await;
        let request = CreateKeyRequest {
            name: format!("key-{at}"),
            ..CreateKeyRequest::default()
        };
        let answer = KeyAdminServiceClient::new(channel)
            .create_key(request)
            .await;
        if at as u64 + 1 == leader {
            answer.unwrap();
            continue;
        }
        let refused = answer.err().unwrap();
        assert_eq!(reason(&refused), Some(Reason::NotLeader.as_str()));
        let named = refused
            .metadata()
            .get("ward-leader")
            .unwrap()
            .to_str()
            .unwrap();
        let leader_at = usize::try_from(leader).unwrap() - 1;
        assert_eq!(named, cluster.nodes[leader_at].file.listen.api);
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_that_joined_anew_loses_its_former_key_on_every_node() {
    let cluster = Cluster::of_three().await;
    cluster
        .operator()
        .create_key("app/reader/own")
        .await
        .unwrap();
    let former = cluster.enlist(Role::App, "reader").await;
    former.describe_key("app/reader/own").await.unwrap();
    let folder = cluster.dir.path().join("app-reader");
    let former = IdentityDir::new(&folder).load().unwrap();
    std::fs::remove_file(folder.join("key.pem")).unwrap();
    cluster.enlist(Role::App, "reader").await;
    let endpoints = IdentityDir::new(&folder).load_endpoints().unwrap();
    for n in 1..=3 {
        let client = kms_client::Client::builder()
            .identity(former.clone())
            .endpoints(endpoints.clone())
            .only_node(n)
            .deadline(Duration::from_secs(3))
            .open()
            .unwrap();
        let context = envelope::context::EncryptionContext::new();
        let refused = client
            .encrypt("app/reader/own", b"x", &context)
            .await
            .err()
            .unwrap();
        assert_eq!(refused.reason(), Reason::Denied, "node {n}: {refused}");
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_beyond_its_size_or_of_an_unknown_verb_is_refused() {
    use ward_proto::v1::crypto_service_client::CryptoServiceClient;
    let cluster = Cluster::of_one().await;
    let api = &cluster.nodes[0].file.listen.api;
    let mut client = CryptoServiceClient::new(channel(api, as_operator(&cluster)).await);
    let large = EncryptRequest {
        key: None,
        plaintext: vec![0; 256 * 1024].into(),
        context: Vec::new(),
    };
    let refused = client.encrypt(large).await.err().unwrap();
    assert_eq!(reason(&refused), Some("INVALID_ARGUMENT"), "{refused}");
    // The join verb is not mounted here, and would have no caller.
    let mut join = ward_proto::v1::join_service_client::JoinServiceClient::new(
        channel(api, as_operator(&cluster)).await,
    );
    let request = ward_proto::v1::JoinRequest::default();
    let refused = join.join(request).await.err().unwrap();
    assert_eq!(refused.code(), Code::Unimplemented);
    assert_eq!(reason(&refused), Some("VERSION_NEWER"), "{refused}");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_who_may_not_list_keys_is_told_their_ids_alone() {
    use kms_client::Watch;
    use kms_client::model::{KeyChange, WatchEventKind};
    async fn change(watch: &mut Watch) -> KeyChange {
        let told = async {
            loop {
                if let WatchEventKind::KeyChanged(change) = watch.next().await.kind {
                    return change;
                }
            }
        };
        let told = tokio::time::timeout(crate::harness::PATIENCE, told).await;
        told.unwrap()
    }
    let cluster = Cluster::of_one().await;
    let reader = cluster.enlist(Role::App, "reader").await;
    let mut watches = [cluster.operator().watch(), reader.watch()];
    for watch in &mut watches {
        assert!(matches!(watch.next().await.kind, WatchEventKind::Resync));
    }
    let key = cluster.operator().create_key("device-keys").await.unwrap();
    let [operators, readers] = &mut watches;
    let (operators, readers) = (change(operators).await, change(readers).await);
    assert_eq!((operators.key_id, readers.key_id), (key.id, key.id));
    assert_eq!(operators.name, "device-keys");
    assert_eq!(readers.name, "");
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn watchers_of_every_node_hear_of_a_disabled_key() {
    use kms_client::model::WatchEventKind;
    let cluster = Cluster::of_three().await;
    let key = cluster.operator().create_key("billing").await.unwrap();
    let mut watches: Vec<_> = (1..=3).map(|n| cluster.operator_at(n).watch()).collect();
    for watch in &mut watches {
        assert!(matches!(watch.next().await.kind, WatchEventKind::Resync));
    }
    cluster.operator().disable_key("billing").await.unwrap();
    for watch in &mut watches {
        let told = async {
            loop {
                if let WatchEventKind::KeyChanged(change) = watch.next().await.kind {
                    return change.key_id;
                }
            }
        };
        let told = tokio::time::timeout(crate::harness::PATIENCE, told).await;
        assert_eq!(told.unwrap(), key.id);
    }
    eventually("the audit log names the call and no secret", || async {
        let dir = cluster.nodes[0].file.data_dir.join("audit");
        let text: String = std::fs::read_dir(dir)
            .unwrap()
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
            .collect();
        text.contains("\"DisableKey\"") && text.contains("billing")
    })
    .await;
    cluster.stop().await;
}

/// A connection from another address of this machine than the clients'.
async fn from_elsewhere(address: &str) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    socket.connect(address.parse().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_strangers_block_no_listener() {
    let cluster = Cluster::of_one().await;
    let listen = &cluster.nodes[0].file.listen;
    let mut silent = Vec::new();
    for address in [&listen.api, &listen.peer, &listen.join] {
        for _ in 0..200 {
            silent.push(from_elsewhere(address).await);
        }
    }
    // Silent after the handshake too, where none has to show a certificate.
    let identity = IdentityDir::new(cluster.dir.path().join("operator"));
    let authority = spki_sha256(&identity.load().unwrap().ca()[0]).unwrap();
    let connector = TlsConnector::from(Arc::new(join_client_config(authority).unwrap()));
    let mut greeted = Vec::new();
    for _ in 0..64 {
        let stream = TcpStream::connect(&listen.join).await.unwrap();
        greeted.push(connector.connect(server_name(), stream).await.unwrap());
    }
    let served = async {
        cluster.operator().create_key("billing").await.unwrap();
        let peer = TcpStream::connect(&listen.peer).await.unwrap();
        let shaken = connector.connect(server_name(), peer).await;
        drop(shaken);
    };
    // Less than a silent handshake may take: nobody waited for one to be given up.
    tokio::time::timeout(Duration::from_secs(4), served)
        .await
        .expect("clients and peers are served meanwhile");
    let csr = IdentityDir::new(cluster.dir.path().join("late"));
    let csr = csr.create_csr().unwrap();
    let operator = cluster.operator();
    let token = operator.create_join_token(Role::App, Some("late"), crate::harness::TTL);
    let token = token.await.unwrap().token;
    eventually("silent joiners are hung up on", || async {
        kms_client::join::join(&listen.join, &token, &csr, None)
            .await
            .is_ok()
    })
    .await;
    drop((silent, greeted));
    cluster.stop().await;
}
