//! What is tried again, with what, and for how long.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::{Behaviour, Cluster, dead_address, endpoint};
use crate::client::Client;
use crate::limits::ATTEMPT_MAX;
use crate::reason::Reason;

#[tokio::test]
async fn one_intent_keeps_its_key_over_all_attempts_and_the_next_has_another() {
    let cluster = Cluster::start().await;
    for id in 1..=3 {
        cluster
            .node(id)
            .behave(Behaviour::RefuseTimes(2, Reason::NoQuorum));
    }
    let client = cluster.client();
    client.create_key("billing").await.unwrap();
    let intents = |cluster: &Cluster| -> BTreeSet<Vec<u8>> {
        let seen = cluster.nodes.iter().flat_map(|node| node.seen());
        seen.map(|seen| seen.intent).collect()
    };
    let attempts: usize = (1..=3).map(|id| cluster.calls(id)).sum();
    assert_eq!(attempts, 7, "two rounds in vain, then the first");
    assert_eq!(intents(&cluster).len(), 1);
    assert_eq!(intents(&cluster).first().unwrap().len(), 16);
    client.create_key("other").await.unwrap();
    assert_eq!(intents(&cluster).len(), 2);
}

#[tokio::test]
async fn a_final_refusal_is_answered_at_once() {
    let cluster = Cluster::start().await;
    // A node that is too old for a verb, or has served its part of a quota, is no reason to give
    // up: another one may know it, or have room.
    let of_one_node = [Reason::VersionNewer, Reason::Quota];
    let is_final = |reason: &Reason| !reason.may_pass() && !of_one_node.contains(reason);
    for reason in Reason::ALL.iter().copied().filter(is_final) {
        cluster.node(1).behave(Behaviour::Refuse(reason));
        let client = cluster.client();
        let before = cluster.calls(1);
        let refused = client.describe_key("billing").await.unwrap_err();
        assert_eq!(refused.reason(), reason);
        assert_eq!(
            refused.message(),
            format!("refused with {reason} by the test")
        );
        assert_eq!((cluster.calls(1), cluster.calls(2)), (before + 1, 0));
    }
}

// Mutation: QUOTA that is final leaves the other nodes' parts unused.
#[tokio::test]
async fn what_is_refused_for_one_node_alone_is_asked_of_the_next_and_not_waited_for() {
    for reason in [Reason::VersionNewer, Reason::Quota] {
        let cluster = Cluster::start().await;
        let refuses = Behaviour::Refuse(reason);
        cluster.node(1).behave(refuses.clone());
        let client = cluster.client();
        client.describe_key("billing").await.unwrap();
        assert_eq!((cluster.calls(1), cluster.calls(2)), (1, 1), "{reason}");
        cluster.others(0, &refuses);
        let before = cluster.calls(2);
        let refused = client.describe_key("billing").await.unwrap_err();
        assert_eq!(refused.reason(), reason);
        assert_eq!(cluster.calls(2), before + 1, "{reason}: one round");
    }
}

#[tokio::test]
async fn a_last_try_that_was_cut_short_does_not_hide_what_was_answered_before() {
    let cluster = Cluster::start().await;
    cluster.others(0, &Behaviour::RefuseThenHang(Reason::AuditUnavailable));
    let client = cluster.builder().deadline(Duration::from_secs(1)).open();
    let refused = client.unwrap().describe_key("billing").await.unwrap_err();
    assert_eq!(refused.reason(), Reason::AuditUnavailable);
    assert!((1..=3).any(|id| cluster.calls(id) == 2), "a second round");
}

#[tokio::test]
async fn a_passing_refusal_is_answered_by_its_own_name_when_time_is_up() {
    let cluster = Cluster::start().await;
    let dead = endpoint(4, &dead_address().await);
    for reason in [Reason::NoQuorum, Reason::Sealed, Reason::AuditUnavailable] {
        cluster.others(0, &Behaviour::Refuse(reason));
        let endpoints = [cluster.endpoints(), vec![dead.clone()]].concat();
        let client = cluster
            .builder()
            .endpoints(endpoints)
            .deadline(Duration::from_millis(1500));
        let began = sys::clock::monotonic();
        let refused = client
            .open()
            .unwrap()
            .describe_key("billing")
            .await
            .unwrap_err();
        let took = sys::clock::monotonic() - began;
        assert_eq!(refused.reason(), reason, "not the unreachable node's");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    assert!(cluster.calls(1) > 3, "tried more than once each");
}

#[tokio::test]
async fn nobody_there_is_unavailable_and_names_the_address() {
    let cluster = Cluster::start().await;
    let dead = dead_address().await;
    let client = cluster.builder().endpoints(vec![endpoint(1, &dead)]);
    let client = client.deadline(Duration::from_millis(200)).open().unwrap();
    let refused = client.describe_key("billing").await.unwrap_err();
    assert_eq!(refused.reason(), Reason::Unavailable);
    assert!(refused.message().contains(&dead), "{refused}");
    assert!(refused.message().contains("refused"), "says why: {refused}");
}

#[tokio::test]
async fn silence_ends_at_the_deadline_which_the_node_is_told() {
    let cluster = Cluster::start().await;
    cluster.others(0, &Behaviour::Hang);
    let client = cluster
        .builder()
        .deadline(Duration::from_millis(300))
        .open()
        .unwrap();
    let began = sys::clock::monotonic();
    let refused = client.describe_key("billing").await.unwrap_err();
    let took = sys::clock::monotonic() - began;
    assert_eq!(refused.reason(), Reason::Deadline, "{refused}");
    assert!(
        (Duration::from_millis(250)..Duration::from_secs(5)).contains(&took),
        "{took:?}"
    );
    assert!(!cluster.node(1).seen()[0].timeout.is_empty());
}

#[tokio::test]
async fn a_node_that_hangs_does_not_use_up_the_others_time() {
    let cluster = Cluster::start().await;
    cluster.node(1).behave(Behaviour::Hang);
    let client: Client = cluster.client();
    let began = sys::clock::monotonic();
    client.describe_key("billing").await.unwrap();
    assert!(sys::clock::monotonic() - began < ATTEMPT_MAX * 2);
    // And it is not asked first again.
    client.describe_key("billing").await.unwrap();
    assert_eq!((cluster.calls(1), cluster.calls(2)), (1, 2));
}

// Mutation: without pings a node that stands still keeps a call for as long as a slow one may.
#[tokio::test]
async fn a_node_that_stands_still_is_left_before_a_slow_one_is() {
    let cluster = Cluster::start().await;
    let (address, frozen) = relay(cluster.node(1).endpoint().api).await;
    let mut endpoints = cluster.endpoints();
    endpoints[0] = endpoint(1, &address);
    let client = cluster.builder().endpoints(endpoints).open().unwrap();
    client.describe_key("billing").await.unwrap();
    assert_eq!(cluster.calls(1), 1);
    frozen.send_replace(true);
    let began = sys::clock::monotonic();
    client.describe_key("billing").await.unwrap();
    assert!(sys::clock::monotonic() - began < ATTEMPT_MAX);
    assert_eq!((cluster.calls(1), cluster.calls(2)), (1, 1));
}

/// A way to a node that carries nothing any more once it is frozen, and loses nothing.
async fn relay(node: String) -> (String, watch::Sender<bool>) {
    let (frozen, is_frozen) = watch::channel(false);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    sys::task::spawn("relay", async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (node, mut is_frozen) = (node.clone(), is_frozen.clone());
            sys::task::spawn("way", async move {
                let mut far = TcpStream::connect(&node).await.unwrap();
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
                    frozen = is_frozen.wait_for(|frozen| *frozen) => drop(frozen.unwrap()),
                }
                // Both ends stay open.
                std::future::pending::<()>().await;
            });
        }
    });
    (address, frozen)
}
