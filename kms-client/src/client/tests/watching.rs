//! A watch that does not end.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use ward_proto::v1;

use super::{Behaviour, Cluster, until};
use crate::client::Watch;
use crate::data_keys::DataKeyCache;
use crate::model::{KeyState, WatchEventKind};
use crate::reason::Reason;

fn key_changed(state: v1::KeyState) -> Option<v1::WatchEvent> {
    let change = v1::KeyChanged {
        key_id: Bytes::from_static(&[7; 16]),
        name: "billing".into(),
        state: state.into(),
        primary_version: 2,
        epoch: 3,
    };
    let event = v1::watch_event::Event::KeyChanged(change);
    Some(v1::WatchEvent {
        applied_index: 9,
        event: Some(event),
    })
}

async fn next(watch: &mut Watch) -> WatchEventKind {
    timeout(Duration::from_secs(20), watch.next())
        .await
        .unwrap()
        .kind
}

#[tokio::test]
async fn changes_are_told_and_a_broken_stream_is_opened_again_with_a_resync() {
    let cluster = Cluster::start().await;
    let mut watch = cluster.client().watch();
    assert_eq!(next(&mut watch).await, WatchEventKind::Resync);
    cluster
        .node(1)
        .shared
        .events
        .send_replace(key_changed(v1::KeyState::Disabled));
    let WatchEventKind::KeyChanged(change) = next(&mut watch).await else {
        panic!("a change was told");
    };
    assert_eq!(
        (change.state, change.primary_version.0),
        (KeyState::Disabled, 2)
    );
    assert_eq!((change.name.as_str(), change.epoch), ("billing", 3));

    cluster.node(1).shared.end_watches.send_replace(1);
    assert_eq!(next(&mut watch).await, WatchEventKind::Resync);
    assert_eq!(
        cluster
            .nodes
            .iter()
            .map(|node| node.seen().len())
            .sum::<usize>(),
        2
    );
}

#[tokio::test]
async fn a_silent_stream_is_given_up() {
    let cluster = Cluster::start().await;
    let mut watch = cluster.client().watch();
    assert_eq!(next(&mut watch).await, WatchEventKind::Resync);
    // No heartbeat comes: the node may be cut off without a word.
    assert_eq!(next(&mut watch).await, WatchEventKind::Resync);
}

#[tokio::test]
async fn giving_up_waiting_again_and_again_still_opens_the_stream() {
    let cluster = Cluster::start().await;
    cluster.node(1).behave(Behaviour::Refuse(Reason::Sealed));
    let mut watch = cluster.client().watch();
    let mut told = None;
    for _ in 0..2000 {
        if let Ok(event) = timeout(Duration::from_millis(1), watch.next()).await {
            told = Some(event.kind);
            break;
        }
    }
    assert_eq!(told, Some(WatchEventKind::Resync));
    assert_eq!(cluster.calls(2), 1);
}

#[tokio::test]
async fn a_cache_watches_by_itself() {
    let cluster = Cluster::start().await;
    let _cache = DataKeyCache::start(cluster.client());
    until("the cache watches", || cluster.calls(1) > 0).await;
    assert_eq!(cluster.node(1).seen()[0].verb, "watch");
}
