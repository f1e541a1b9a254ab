//! Aliases and permissions: who moves one takes it from a key, and is asked about that key too.

use kms_client::identity::Role;
use kms_client::reason::Reason;
use kms_client::{Client, Error};
use tonic::Request;
use ward_proto::admin::v1::key_admin_service_client::KeyAdminServiceClient;
use ward_proto::admin::v1::{DeleteAliasRequest, PutAliasRequest};
use ward_proto::v1::key_ref::By;
use ward_proto::v1::{KeyRef, WriteOptions};

use crate::audit::{hex, records};
use crate::harness::Cluster;
use crate::strangers::{as_operator, channel};

fn reason<T>(result: Result<T, Error>) -> Option<Reason> {
    result.err().map(|error| error.reason())
}

/// Keys `dev`, `dev-2` and `prod`, and an operator who may do everything but touch `prod`.
async fn without_prod(cluster: &Cluster) -> Client {
    let alice = cluster.operator();
    for key in ["dev", "dev-2", "prod"] {
        alice.create_key(key).await.unwrap();
    }
    let bob = cluster.enlist(Role::Operator, "bob").await;
    let text = r#"@id("bob-leaves-prod-alone")
        forbid (principal == Ward::Operator::"bob", action, resource is Ward::Key)
        when { resource.name == "prod" };"#;
    alice.put_policy("bob", text).await.unwrap();
    bob
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_is_neither_taken_from_nor_given_to_a_key_that_a_policy_forbids() {
    let cluster = Cluster::of_one().await;
    let (alice, bob) = (cluster.operator(), without_prod(&cluster).await);
    alice.create_alias("alias/x", "prod").await.unwrap();
    bob.create_alias("alias/y", "dev").await.unwrap();
    let refused = [
        reason(bob.move_alias("alias/x", "dev", 1).await),
        // Nor is its revision told.
        reason(bob.move_alias("alias/x", "dev", 7).await),
        reason(bob.delete_alias("alias/x", 1).await),
        reason(bob.move_alias("alias/y", "prod", 1).await),
        reason(bob.create_alias("alias/z", "prod").await),
    ];
    assert_eq!(refused, [Some(Reason::Denied); 5]);
    let denied = records(&cluster, "DeleteAlias").pop().unwrap();
    assert_eq!(
        (&denied["resource"], &denied["outcome"]),
        (&"prod".into(), &"denied".into())
    );
    let taken = records(&cluster, "PutAlias").into_iter().find(|record| {
        record["order"] == "loses=alias/x" && record["policies"][0] == "bob-leaves-prod-alone"
    });
    assert_eq!(taken.unwrap()["resource"], "prod");

    alice.move_alias("alias/x", "dev", 1).await.unwrap();
    bob.move_alias("alias/x", "dev-2", 2).await.unwrap();
    bob.delete_alias("alias/x", 3).await.unwrap();
    cluster.stop().await;
}

// Mutation: decided without a look at the revision, what was permitted for `dev` takes the alias
// from `prod`, which has it by the time that it is applied.
#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_moves_meanwhile_is_not_taken_from_its_new_key() {
    let cluster = Cluster::of_one().await;
    let (alice, bob) = (cluster.operator(), without_prod(&cluster).await);
    let mut revision = alice.create_alias("alias/x", "dev").await.unwrap().revision;
    for round in 0..30 {
        let takes = || bob.move_alias("alias/x", "dev-2", revision + 1);
        let (moved, first, second, third, deleted) = tokio::join!(
            alice.move_alias("alias/x", "prod", revision),
            takes(),
            takes(),
            takes(),
            bob.delete_alias("alias/x", revision + 1),
        );
        moved.unwrap();
        for taken in [first.err(), second.err(), third.err(), deleted.err()] {
            let refused = taken.unwrap_or_else(|| panic!("taken from prod in round {round}"));
            let expected = [Reason::Denied, Reason::Conflict];
            assert!(expected.contains(&refused.reason()), "{refused}");
        }
        let back = alice.move_alias("alias/x", "dev", revision + 1).await;
        revision = back.unwrap().revision;
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_leaves_a_record_for_each_key_and_a_deletion_one() {
    let cluster = Cluster::of_one().await;
    let operator = cluster.operator();
    let one = operator.create_key("one").await.unwrap();
    let two = operator.create_key("two").await.unwrap();
    operator.create_alias("alias/x", "one").await.unwrap();
    operator.move_alias("alias/x", "two", 1).await.unwrap();
    // It is this key's already: nobody loses it.
    operator.move_alias("alias/x", two.id, 2).await.unwrap();
    operator.delete_alias("alias/x", 3).await.unwrap();
    let (one, two) = (hex(one.id.as_bytes()), hex(two.id.as_bytes()));
    let told: Vec<_> = ["PutAlias", "DeleteAlias"]
        .iter()
        .flat_map(|action| records(&cluster, action))
        .map(|record| {
            assert!(!record["policies"].as_array().unwrap().is_empty());
            let word = |name: &str| record[name].as_str().unwrap().to_owned();
            (word("order"), word("resource"), word("key_id"))
        })
        .collect();
    let expected = [
        ("gets=alias/x", "one", &one),
        ("loses=alias/x", "one", &one),
        ("gets=alias/x", "two", &two),
        ("gets=alias/x", "two", &two),
        ("loses=alias/x", "two", &two),
    ];
    let expected = expected.map(|(order, name, id)| (order.into(), name.into(), id.clone()));
    assert_eq!(told, expected);
    cluster.stop().await;
}

// Mutation: answered from the present state, a repetition tells of the other's key, or of no alias.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_put_answers_what_the_first_one_did() {
    let cluster = Cluster::of_one().await;
    let operator = cluster.operator();
    let one = operator.create_key("one").await.unwrap();
    operator.create_key("two").await.unwrap();
    let channel = channel(&cluster.nodes[0].file.listen.api, as_operator(&cluster)).await;
    let mut client = KeyAdminServiceClient::new(channel);
    let write = |number: u8| {
        Some(WriteOptions {
            idempotency_key: vec![number; 16].into(),
        })
    };
    let put = PutAliasRequest {
        name: "alias/x".to_owned(),
        key: Some(KeyRef {
            by: Some(By::Name("one".to_owned())),
        }),
        expected_revision: 0,
        write: write(1),
    };
    let delete = DeleteAliasRequest {
        name: "alias/x".to_owned(),
        expected_revision: 2,
        write: write(2),
    };
    for round in 0..3 {
        let alias = client.put_alias(Request::new(put.clone())).await.unwrap();
        let alias = alias.into_inner().alias.unwrap();
        assert_eq!((&*alias.key_name, alias.revision), ("one", 1), "{round}");
        assert_eq!(alias.key_id, one.id.as_bytes()[..]);
        let record = records(&cluster, "PutAlias").pop().unwrap();
        assert_eq!(record["resource"], "one");
        match round {
            0 => drop(operator.move_alias("alias/x", "two", 1).await.unwrap()),
            _ => drop(client.delete_alias(delete.clone()).await.unwrap()),
        }
    }
    cluster.stop().await;
}
