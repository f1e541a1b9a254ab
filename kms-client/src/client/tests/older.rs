//! What an older node does not know: it must not do half of what is asked for.

use super::Cluster;
use crate::model::{KeyType, Labels, NewKey};
use crate::reason::Reason;

fn labels() -> Labels {
    Labels::from([("site".to_owned(), "north".to_owned())])
}

// Mutation: asked for by the verb that older nodes know, the key is made of another type.
#[tokio::test]
async fn a_key_of_a_type_or_with_labels_is_not_made_without_them() {
    let cluster = Cluster::start().await;
    let client = cluster.client();
    let key_type = KeyType::Ed25519;
    let typed = NewKey {
        key_type,
        ..NewKey::from("reports")
    };
    let labelled = NewKey {
        labels: labels(),
        ..NewKey::from("reports")
    };
    for asked in [typed, labelled] {
        let refused = client.create_key(asked).await.unwrap_err();
        assert_eq!(refused.reason(), Reason::VersionNewer, "{refused}");
    }
    let made = (1..=3).map(|node| cluster.calls(node)).sum::<usize>();
    assert_eq!(made, 0, "calls of verbs that the nodes know");
    client.create_key("billing").await.unwrap();
}

// Mutation: believed, the answer of a node that leaves the labels unread is a list of all keys.
#[tokio::test]
async fn keys_without_the_labels_are_not_listed() {
    let cluster = Cluster::start().await;
    let client = cluster.client();
    assert_eq!(client.list_keys("").await.unwrap().len(), 2);
    assert_eq!(client.list_labelled_keys("", &labels()).await.unwrap(), []);
}

// Mutation: taken as 1, it moves an alias that was never moved.
#[tokio::test]
async fn a_revision_that_no_alias_has_moves_none() {
    let cluster = Cluster::start().await;
    let moved = cluster.client().move_alias("alias/x", "billing", 0).await;
    assert_eq!(moved.unwrap_err().reason(), Reason::InvalidArgument);
}
