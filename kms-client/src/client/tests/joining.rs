//! Joining: the token's cluster and no other.

use envelope::id::ClusterId;
use envelope::secret::SecretKey;
use envelope::token::JoinToken;

use super::node::{Behaviour, Node};
use crate::client::Client;
use crate::identity::{IdentityDir, NodeId, Role, spki_sha256};
use crate::join::{NodeAddresses, join};
use crate::reason::Reason;
use crate::testing::Authority;
use crate::tls::join_server_config;

fn token(authority: &Authority) -> JoinToken {
    JoinToken {
        cluster_id: ClusterId::from_bytes([9; 16]),
        role: envelope::token::role::OPERATOR,
        id: "first".into(),
        secret: SecretKey::generate(),
        ca_spki_sha256: spki_sha256(&authority.certificate()).unwrap(),
        expires_ms: u64::MAX,
    }
}

async fn listener(authority: &Authority) -> Node {
    let identity = authority.identity(Role::Node, "1");
    Node::start_with(authority, 1, join_server_config(&identity).unwrap()).await
}

#[tokio::test]
async fn a_token_gives_an_identity_that_the_cluster_serves() {
    let authority = Authority::new("ward.test");
    let (listener, node) = (listener(&authority).await, Node::start(&authority, 1).await);
    let temporary = tempfile::tempdir().unwrap();
    let dir = IdentityDir::new(temporary.path());
    // The test's listener answers with the addresses it is given.
    let addresses = NodeAddresses {
        api: node.address.clone(),
        peer: "127.0.0.1:2".into(),
        join: listener.address.clone(),
    };
    let csr = dir.create_csr().unwrap();
    let joined = join(
        &listener.address,
        &token(&authority),
        &csr,
        Some(&addresses),
    )
    .await
    .unwrap();
    assert_eq!(
        (joined.node_id, joined.trust_domain.as_str()),
        (Some(NodeId(4)), "ward.test")
    );
    assert_eq!(joined.members[0].addresses, addresses);
    assert_eq!(joined.members[0].public_key_der, b"key");
    let identity = joined.store(&dir).unwrap();
    assert_eq!(identity.id().id(), "first");
    Client::open(temporary.path())
        .unwrap()
        .describe_key("billing")
        .await
        .unwrap();
}

#[tokio::test]
async fn another_clusters_node_never_sees_the_token() {
    let (ours, theirs) = (Authority::new("ward.test"), Authority::new("ward.test"));
    let listener = listener(&theirs).await;
    let csr = IdentityDir::new(tempfile::tempdir().unwrap().path())
        .create_csr()
        .unwrap();
    let refused = join(&listener.address, &token(&ours), &csr, None)
        .await
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::CertificateForeign, "{refused}");
    assert!(listener.seen().is_empty());
}

#[tokio::test]
async fn a_refused_token_is_said_to_be_so() {
    let authority = Authority::new("ward.test");
    let listener = listener(&authority).await;
    listener.behave(Behaviour::Refuse(Reason::TokenInvalid));
    let csr = IdentityDir::new(tempfile::tempdir().unwrap().path())
        .create_csr()
        .unwrap();
    let refused = join(&listener.address, &token(&authority), &csr, None)
        .await
        .unwrap_err();
    assert_eq!(refused.reason(), Reason::TokenInvalid);
}
