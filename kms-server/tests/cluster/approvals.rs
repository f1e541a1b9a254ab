//! What a policy lets nobody do alone, through real clients.

use std::time::Duration;

use kms_client::identity::{IdentityDir, NodeId, Role};
use kms_client::model::{Approval, ApprovalRequest};
use kms_client::reason::Reason;
use kms_client::{Client, Error};
use ward_proto::admin::v1 as admin;
use ward_proto::admin::v1::approval_admin_service_client::ApprovalAdminServiceClient;

use crate::harness::{Cluster, eventually};
use crate::strangers::{as_operator, channel};

const SECOND: &str = r#"
@id("second-operator")
forbid (
  principal,
  action in [Ward::Action::"PutPolicy", Ward::Action::"RemoveNode"],
  resource
) unless { context.approved };

@id("second-operator-invites-operators")
forbid (principal, action == Ward::Action::"CreateJoinToken", resource)
when { context.role == "operator" }
unless { context.approved };
"#;

const HARMLESS: &str = r#"@id("lab") permit (
    principal == Ward::App::"lab", action == Ward::Action::"ListKeys", resource
);"#;

fn reason<T>(answer: Result<T, Error>) -> Option<Reason> {
    answer.err().map(|error| error.reason())
}

/// A cluster where policies take two. `admin` began it and invited bob; bob invited dora, put the
/// policy, and invited carol, which admin approved.
struct Operators {
    cluster: Cluster,
    admin: Client,
    bob: Client,
    carol: Client,
    dora: Client,
}

impl Operators {
    async fn new() -> Self {
        let cluster = Cluster::of_one().await;
        let admin = cluster.operator();
        let bob = cluster.enlist(Role::Operator, "bob").await;
        let dora = invite(&cluster, &bob, "dora").await.unwrap();
        bob.put_policy("second", SECOND).await.unwrap();
        let waits = invite(&cluster, &bob, "carol").await;
        assert_eq!(reason(waits), Some(Reason::ApprovalRequired));
        approve_only(&admin).await;
        let carol = invite(&cluster, &bob, "carol").await.unwrap();
        Self {
            cluster,
            admin,
            bob,
            carol,
            dora,
        }
    }
}

async fn invite(cluster: &Cluster, by: &Client, id: &str) -> Result<Client, Error> {
    let ttl = Duration::from_secs(60);
    let created = by.create_join_token(Role::Operator, Some(id), ttl).await?;
    let folder = IdentityDir::new(cluster.dir.path().join(format!("operator-{id}")));
    let endpoint = &cluster.nodes[0].file.listen.join;
    let csr = folder.create_csr().unwrap();
    let joined = kms_client::join::join(endpoint, &created.token, &csr, None);
    joined.await.unwrap().store(&folder).unwrap();
    Client::open(folder.path())
}

/// The one request that waits.
async fn only(client: &Client) -> ApprovalRequest {
    let waiting = client.list_approvals().await.unwrap();
    let [waiting] = &waiting[..] else {
        panic!("{} wait", waiting.len());
    };
    client.describe_approval(&waiting.id).await.unwrap()
}

async fn approve_only(client: &Client) -> Approval {
    let shown = only(client).await;
    client.approve_request(&shown).await.unwrap()
}

// Mutation: without the removal in `Approved::apply`, the second repetition is done too.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_waits_for_another_operator_and_is_done_once() {
    let operators = Operators::new().await;
    let Operators { bob, admin, .. } = &operators;
    let refused = bob.put_policy("lab", HARMLESS).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::ApprovalRequired);
    let waiting = only(admin).await;
    let id = hex::encode(waiting.approval.id);
    let told = format!("ward approve {id}");
    assert!(refused.message().contains(&told), "{refused}");
    assert_eq!(waiting.approval.proposer, "bob");
    assert_eq!(waiting.approval.message, "PutPolicyRequest");
    assert_eq!(waiting.approval.resource, "lab");
    let request: admin::PutPolicyRequest = prost::Message::decode(&*waiting.request).unwrap();
    assert_eq!((&*request.policy_id, &*request.text), ("lab", HARMLESS));
    assert!(request.write.is_none());

    // Who asks again, waits still, and for the same.
    let again = bob.put_policy("lab", HARMLESS).await;
    assert_eq!(reason(again), Some(Reason::ApprovalRequired));
    assert_eq!(only(admin).await, waiting);

    let approved = admin.approve_request(&waiting).await.unwrap();
    assert_eq!(approved.approver.as_deref(), Some("admin"));
    // Not another text under the approval, and nobody else's.
    let other = bob.put_policy("lab", "").await;
    assert_eq!(reason(other), Some(Reason::ApprovalRequired));
    let others = operators.carol.put_policy("lab", HARMLESS).await;
    assert_eq!(reason(others), Some(Reason::ApprovalRequired));
    assert_eq!(bob.put_policy("lab", HARMLESS).await.unwrap(), 1);
    let twice = bob.put_policy("lab", HARMLESS).await;
    assert_eq!(reason(twice), Some(Reason::ApprovalRequired));
    operators.cluster.stop().await;
}

// Mutation: without either comparison in `ApproveRequest::apply`.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_approves_their_own_request_or_their_inviters() {
    let operators = Operators::new().await;
    let Operators {
        admin, bob, carol, ..
    } = &operators;
    let asked = admin.put_policy("lab", HARMLESS).await;
    assert_eq!(reason(asked), Some(Reason::ApprovalRequired));
    let shown = only(bob).await;
    // Admin invited bob, and approved carol's invitation.
    for (name, client) in [("admin", admin), ("bob", bob), ("carol", carol)] {
        let refused = client.approve_request(&shown).await;
        assert_eq!(reason(refused), Some(Reason::Denied), "{name}");
    }
    operators.dora.approve_request(&shown).await.unwrap();
    bob.reject_request(&shown.approval.id).await.unwrap();
    assert!(admin.list_approvals().await.unwrap().is_empty());
    let gone = admin.describe_approval(&shown.approval.id).await;
    assert_eq!(reason(gone), Some(Reason::ApprovalNotFound));
    operators.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_for_what_stood_when_it_was_asked_for() {
    let operators = Operators::new().await;
    let Operators {
        admin, bob, carol, ..
    } = &operators;
    let ask = |client: &Client, text: &str| {
        let (client, text) = (client.clone(), text.to_owned());
        async move { client.put_policy("lab", &text).await }
    };
    assert!(ask(bob, HARMLESS).await.is_err());
    approve_only(admin).await;
    // Another revision comes between: carol's, whom bob's approver may approve as well.
    assert!(ask(carol, "").await.is_err());
    let waiting = admin.list_approvals().await.unwrap();
    let hers = waiting.iter().find(|it| it.proposer == "carol").unwrap();
    let shown = admin.describe_approval(&hers.id).await.unwrap();
    admin.approve_request(&shown).await.unwrap();
    assert_eq!(ask(carol, "").await.unwrap(), 1);
    // Bob's approval was for a policy that was not there: it is asked for anew.
    assert_eq!(
        reason(ask(bob, HARMLESS).await),
        Some(Reason::ApprovalRequired)
    );
    let shown = only(admin).await;
    assert_eq!(shown.approval.approver, None);
    assert_eq!(shown.approval.target_revision, 1);
    admin.approve_request(&shown).await.unwrap();
    assert_eq!(ask(bob, HARMLESS).await.unwrap(), 2);
    operators.cluster.stop().await;
}

// Mutation: without the verification in `approve`, or without the comparison of the key.
#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_a_signature_of_the_approvers_own_key() {
    let operators = Operators::new().await;
    let Operators {
        cluster,
        admin,
        bob,
        ..
    } = &operators;
    assert!(bob.put_policy("lab", HARMLESS).await.is_err());
    let shown = only(admin).await;
    let statement = shown.statement().unwrap();
    let folder = |name: &str| {
        IdentityDir::new(cluster.dir.path().join(name))
            .load()
            .unwrap()
    };
    let (own, other) = (folder("operator"), folder("operator-bob"));
    let address = &cluster.nodes[0].file.listen.api;
    let service = channel(address, as_operator(cluster)).await;
    let service = ApprovalAdminServiceClient::new(service);
    let send = |signature: Vec<u8>, public_key: Vec<u8>| {
        let approval = &shown.approval;
        let request = admin::ApproveRequestRequest {
            approval_id: approval.id.to_vec().into(),
            request_sha256: approval.request_sha256.to_vec().into(),
            target_revision: approval.target_revision,
            expires_ms: approval.expires_ms,
            signature: signature.into(),
            public_key: public_key.into(),
            write: None,
        };
        let mut service = service.clone();
        async move {
            let answer = service.approve_request(request).await;
            let refused = answer.err()?;
            let reason = refused.metadata().get(kms_client::reason::REASON_METADATA);
            reason.map(|reason| reason.to_str().unwrap().to_owned())
        }
    };
    let (key, others_key) = (own.public_key().unwrap(), other.public_key().unwrap());
    let signed = own.sign_p256(&statement).unwrap();
    let others = other.sign_p256(&statement).unwrap();
    let elsewhere = own.sign_p256(b"another purpose").unwrap();
    for (signature, public_key, expected) in [
        (Vec::new(), key.clone(), "VERIFY_FAILED"),
        (elsewhere, key.clone(), "VERIFY_FAILED"),
        (others.clone(), key.clone(), "VERIFY_FAILED"),
        (others, others_key, "INVALID_ARGUMENT"),
    ] {
        let refused = send(signature, public_key).await;
        assert_eq!(refused.as_deref(), Some(expected));
    }
    assert_eq!(only(admin).await.approval.approver, None);
    assert_eq!(send(signed, key).await, None);
    assert_eq!(
        only(admin).await.approval.approver.as_deref(),
        Some("admin")
    );
    operators.cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_asks_for_a_second_operator_whom_there_is_not() {
    let cluster = Cluster::of_one().await;
    let admin = cluster.operator();
    let refused = admin.put_policy("second", SECOND).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::InvalidArgument);
    assert!(refused.message().contains("second operator"), "{refused}");
    // One whom admin invited could approve nothing of admin's.
    let bob = cluster.enlist(Role::Operator, "bob").await;
    let refused = admin.put_policy("second", SECOND).await;
    assert_eq!(reason(refused), Some(Reason::InvalidArgument));
    bob.put_policy("second", SECOND).await.unwrap();
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_nobody_is_asked_for_and_containment_waits_for_nobody() {
    let operators = Operators::new().await;
    let bob = &operators.bob;
    let wrong = bob.put_policy("lab", "permit (principal").await;
    assert_eq!(reason(wrong), Some(Reason::InvalidArgument));
    let absent = bob.remove_node(NodeId(99)).await;
    assert_eq!(reason(absent), Some(Reason::NodeNotFound));
    assert!(bob.list_approvals().await.unwrap().is_empty());
    // What no policy touches goes on as before.
    bob.create_key("lab").await.unwrap();
    bob.disable_key("lab").await.unwrap();
    let ttl = Duration::from_secs(60);
    let app = bob.create_join_token(Role::App, Some("lab"), ttl);
    app.await.unwrap();
    operators.cluster.stop().await;
}

// Mutation: with the end in the request instead of the life, which is another one each time.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_is_repeated_later_is_the_same_request() {
    let operators = Operators::new().await;
    let Operators { bob, admin, .. } = &operators;
    let life = Duration::from_secs(8 * 60 * 60);
    let grant = || bob.put_ending_policy("lab", HARMLESS, life);
    assert_eq!(reason(grant().await), Some(Reason::ApprovalRequired));
    let asked_ms = sys::clock::wall_ms();
    eventually("another moment", || async {
        sys::clock::wall_ms() > asked_ms
    })
    .await;
    approve_only(admin).await;
    let ends_ms = grant().await.unwrap().ends_ms.unwrap();
    assert!(
        ends_ms > asked_ms + 8 * 60 * 60 * 1_000,
        "it lives from when it is put"
    );
    operators.cluster.stop().await;
}
