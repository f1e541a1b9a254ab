//! What a user hears when certificates do not fit, and renewal.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::node::{Node, refusal as refusal_with};
use super::{Behaviour, Cluster};
use crate::client::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::identity::{Identity, IdentityDir, Role};
use crate::model::WatchEventKind;
use crate::reason::Reason;
use crate::testing::{Authority, Life};
use crate::tls::Dates;

async fn refusal(cluster: &Cluster, identity: Identity) -> Error {
    let client = Client::builder()
        .identity(identity)
        .endpoints(cluster.endpoints());
    let began = sys::clock::monotonic();
    let refused = client
        .open()
        .unwrap()
        .describe_key("billing")
        .await
        .unwrap_err();
    let took = sys::clock::monotonic() - began;
    assert!(
        took < Duration::from_secs(5),
        "waiting mends no certificate: {took:?}"
    );
    refused
}

#[tokio::test]
async fn a_foreign_certificate_is_named() {
    let cluster = Cluster::start().await;
    let stranger = Authority::new("ward.test");
    // A folder with the right authority but a certificate of another cluster.
    let key = rcgen::KeyPair::generate().unwrap();
    let csr = rcgen::CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    let id = stranger.identity(Role::Operator, "first").id().clone();
    let certificate = stranger.issue_for_csr(csr.der(), &id);
    let key = rustls_pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let ca = vec![cluster.authority.certificate()];
    let foreign = Identity::new(key, certificate, ca).unwrap();
    let refused = refusal(&cluster, foreign).await;
    assert_eq!(refused.reason(), Reason::CertificateForeign, "{refused}");
    assert_eq!(cluster.calls(1), 0);
}

#[tokio::test]
async fn a_folder_of_another_cluster_is_named() {
    let cluster = Cluster::start().await;
    let other = Authority::new("ward.test").identity(Role::Operator, "first");
    let refused = refusal(&cluster, other).await;
    assert_eq!(refused.reason(), Reason::CertificateForeign, "{refused}");
}

#[tokio::test]
async fn a_role_that_may_not_call_is_named() {
    let cluster = Cluster::start().await;
    let device = cluster.authority.identity(Role::Device, "mon-1");
    assert_eq!(
        refusal(&cluster, device).await.reason(),
        Reason::CertificateForeign
    );
}

#[tokio::test]
async fn an_expired_certificate_is_named_whether_tls_or_the_node_refuses_it() {
    let authority = Authority::new("ward.test");
    let mut nodes = Vec::new();
    for id in 1..=2 {
        let identity = authority.identity(Role::Node, &id.to_string());
        nodes.push(Node::start_as(&authority, id, &identity, Dates::Checked).await);
    }
    let cluster = Cluster { authority, nodes };
    let expired = || {
        cluster
            .authority
            .identity_for(Role::Operator, "first", Life::OVER)
    };
    assert_eq!(
        refusal(&cluster, expired()).await.reason(),
        Reason::CertificateExpired
    );
    assert_eq!(cluster.calls(1), 0);

    let lenient = Cluster {
        nodes: vec![Node::start(&cluster.authority, 1).await],
        ..cluster
    };
    lenient
        .node(1)
        .behave(Behaviour::Refuse(Reason::CertificateExpired));
    let expired = lenient
        .authority
        .identity_for(Role::Operator, "first", Life::OVER);
    assert_eq!(
        refusal(&lenient, expired).await.reason(),
        Reason::CertificateExpired
    );
    assert_eq!(lenient.calls(1), 1);
}

#[tokio::test]
async fn an_expired_node_is_named_and_another_serves() {
    let authority = Authority::new("ward.test");
    let stale = authority.identity_for(Role::Node, "1", Life::OVER);
    let stale = Node::start_as(&authority, 1, &stale, Dates::Checked).await;
    let mut cluster = Cluster {
        authority,
        nodes: vec![stale],
    };
    // It may renew by itself, so it is asked until the time is over.
    let impatient = cluster.builder().deadline(Duration::from_millis(500));
    let refused = impatient.open().unwrap().describe_key("billing").await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.reason(), Reason::CertificateExpired, "{refused}");
    cluster.nodes.push(Node::start(&cluster.authority, 2).await);
    cluster.client().describe_key("billing").await.unwrap();
}

#[tokio::test]
async fn who_has_renewed_before_does_not_take_a_node_s_expired_certificate_for_its_own() {
    let cluster = Cluster::start().await;
    let temporary = tempfile::tempdir().unwrap();
    folder(&cluster, temporary.path());
    let client = Client::open(temporary.path()).unwrap();
    let first = client.identity();
    let expired = Behaviour::RefuseTimes(1, Reason::CertificateExpired);
    cluster.node(1).behave(expired);
    client.describe_key("billing").await.unwrap();
    assert_ne!(client.identity().certificate(), first.certificate());

    let own = &client.inner;
    let of_a_node = || Error::new(Reason::CertificateExpired, "node 2's has expired");
    let end = sys::clock::monotonic() + Duration::from_secs(2);
    let refused = own.renew_after(of_a_node(), &client.identity(), end).await;
    assert_eq!(refused.unwrap_err().reason(), Reason::CertificateExpired);
    // A call that began before the renewal was refused for what is replaced by now.
    own.renew_after(of_a_node(), &first, end).await.unwrap();
}

#[tokio::test]
async fn a_refusal_that_comes_after_a_renewal_is_of_the_certificate_that_was_shown() {
    let cluster = Cluster::start().await;
    let temporary = tempfile::tempdir().unwrap();
    folder(&cluster, temporary.path());
    let client = Client::open(temporary.path()).unwrap();
    let nodes = &client.inner.nodes;
    let (shown, target) = (client.identity(), nodes.targets(Route::AnyNode).remove(0));
    let node = nodes.channel(&target).unwrap();
    client.renew_certificate().await.unwrap();
    nodes.read(&refusal_with(Reason::CertificateExpired), &target, &node);
    assert!(Arc::ptr_eq(&nodes.last_expired().unwrap(), &shown));
}

#[tokio::test]
async fn another_node_on_a_known_address_is_not_taken_for_it() {
    let authority = Authority::new("ward.test");
    let other = authority.identity(Role::Node, "7");
    let node = Node::start_as(&authority, 1, &other, Dates::Checked).await;
    let cluster = Cluster {
        authority,
        nodes: vec![node],
    };
    let operator = cluster.authority.identity(Role::Operator, "first");
    assert_eq!(
        refusal(&cluster, operator).await.reason(),
        Reason::CertificateForeign
    );
    assert_eq!(cluster.calls(1), 0);
}

#[tokio::test]
async fn a_renewed_certificate_is_for_the_same_key_and_is_stored() {
    let cluster = Cluster::start().await;
    let temporary = tempfile::tempdir().unwrap();
    let (dir, first) = folder(&cluster, temporary.path());
    let client = Client::open(temporary.path()).unwrap();
    assert!(!client.is_renewal_due());
    client.renew_certificate().await.unwrap();
    let renewed = dir.load().unwrap();
    assert_ne!(renewed.certificate(), first.certificate());
    assert_eq!(renewed.facts().spki_sha256, first.facts().spki_sha256);
    client.describe_key("billing").await.unwrap();
}

#[tokio::test]
async fn who_is_told_that_its_certificate_has_expired_renews_it_and_asks_again() {
    let cluster = Cluster::start().await;
    let temporary = tempfile::tempdir().unwrap();
    let (dir, first) = folder(&cluster, temporary.path());
    let client = Client::builder().dir(temporary.path()).only_node(1);
    let client = client.open().unwrap();
    let expired = Behaviour::RefuseTimes(1, Reason::CertificateExpired);
    cluster.node(1).behave(expired);
    client.describe_key("billing").await.unwrap();
    let seen = cluster.node(1).seen();
    let verbs: Vec<_> = seen.iter().map(|call| call.verb).collect();
    assert_eq!(verbs, ["describe_key", "issue_certificate", "describe_key"]);
    assert_ne!(dir.load().unwrap().certificate(), first.certificate());

    // A renewal that is refused too says why, and is not tried for ever.
    let always = Behaviour::Refuse(Reason::CertificateExpired);
    cluster.node(1).behave(always);
    let refused = client.describe_key("billing").await.unwrap_err();
    assert_eq!(refused.reason(), Reason::CertificateExpired);
    assert_eq!(cluster.calls(1), seen.len() + 2);
}

/// One node refuses the certificate; the others, which are asked later, are away.
#[tokio::test]
async fn who_only_watches_renews_whichever_node_says_that_its_certificate_has_expired() {
    let cluster = Cluster::start().await;
    let temporary = tempfile::tempdir().unwrap();
    folder(&cluster, temporary.path());
    let client = Client::builder().dir(temporary.path()).open().unwrap();
    let expired = Behaviour::RefuseTimes(1, Reason::CertificateExpired);
    cluster.others(1, &Behaviour::Refuse(Reason::Unavailable));
    cluster.node(1).behave(expired);
    let told = timeout(Duration::from_secs(20), client.watch().next()).await;
    assert_eq!(told.unwrap().kind, WatchEventKind::Resync);
    let seen = cluster.node(1).seen();
    let verbs: Vec<_> = seen.iter().map(|call| call.verb).collect();
    assert_eq!(verbs, ["watch", "issue_certificate", "watch"]);
}

#[tokio::test]
async fn a_certificate_that_cannot_be_stored_is_used_all_the_same() {
    let cluster = Cluster::start().await;
    let temporary = tempfile::tempdir().unwrap();
    folder(&cluster, temporary.path());
    let client = Client::builder().dir(temporary.path()).only_node(1);
    let client = client.open().unwrap();
    let first = client.identity();
    // Nothing can be renamed to the name of a folder that is not empty.
    let file = temporary.path().join("cert.pem");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir_all(file.join("in-the-way")).unwrap();
    let expired = Behaviour::RefuseTimes(1, Reason::CertificateExpired);
    cluster.node(1).behave(expired);
    client.describe_key("billing").await.unwrap();
    assert_ne!(client.identity().certificate(), first.certificate());
    let again = client.renew_certificate().await.unwrap_err();
    assert_eq!(again.reason(), Reason::Storage);
    client.describe_key("billing").await.unwrap();
}

#[tokio::test]
async fn a_file_older_than_what_was_renewed_is_not_taken_back() {
    let cluster = Cluster::start().await;
    let temporary = tempfile::tempdir().unwrap();
    let (dir, first) = folder(&cluster, temporary.path());
    let client = Client::builder().dir(temporary.path()).only_node(1);
    let client = client.open().unwrap();
    let old = std::fs::read(temporary.path().join("cert.pem")).unwrap();
    client.renew_certificate().await.unwrap();
    let renewed = client.identity();
    std::fs::write(temporary.path().join("cert.pem"), old).unwrap();
    let once = Behaviour::RefuseTimes(1, Reason::Unavailable);
    cluster.node(1).behave(once.clone());
    client.describe_key("billing").await.unwrap();
    assert_eq!(client.identity().certificate(), renewed.certificate());
    // One that is newer than what was read is.
    let request = dir.create_csr().unwrap();
    let other = cluster.authority.issue_for_csr(&request, first.id());
    dir.store_certificate(&other, first.ca()).unwrap();
    cluster.node(1).behave(once);
    client.describe_key("billing").await.unwrap();
    assert_eq!(*client.identity().certificate(), other);
}

/// An operator's folder with a certificate of today.
fn folder(cluster: &Cluster, path: &Path) -> (IdentityDir, Identity) {
    let dir = IdentityDir::new(path);
    let operator = cluster.authority.identity(Role::Operator, "first");
    let request = dir.create_csr().unwrap();
    let certificate = cluster.authority.issue_for_csr(&request, operator.id());
    let ca = [cluster.authority.certificate()];
    let identity = dir.store_certificate(&certificate, &ca).unwrap();
    dir.store_endpoints(&cluster.endpoints()).unwrap();
    (dir, identity)
}
