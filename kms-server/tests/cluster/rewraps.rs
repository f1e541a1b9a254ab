//! Rewrapping: what a gateway tells, what an operator sees of it, and how data keys move.

use envelope::context::EncryptionContext;
use envelope::id::{KeyId, KeyVersion};
use kms_client::Client;
use kms_client::identity::Role;
use kms_client::model::{
    ArchiveReport, CensusRange, DataKeyKind, GatewayRole, NewDevice, NodeRole, NodeStatus, Rewrap,
    RewrapItem, RewrapState, ToldRewrap, WrappedDataKey,
};
use kms_client::reason::Reason;

use crate::harness::{Cluster, eventually};

const KEY: &str = "device/mon-1";

/// A cluster with a device and a core gateway that has announced itself.
async fn with_core(cluster: &Cluster) -> (Client, Client, KeyId) {
    let operator = cluster.operator();
    let device = NewDevice {
        id: "mon-1".into(),
        ..NewDevice::default()
    };
    operator.enroll_device(&device).await.unwrap();
    let core = cluster.enlist(Role::Gateway, "core").await;
    let address = Some("127.0.0.1:3");
    core.announce_gateway(GatewayRole::Core, address)
        .await
        .unwrap();
    let key_id = operator.describe_key(KEY).await.unwrap().id;
    (operator, core, key_id)
}

/// Data keys as a gateway archives them.
async fn archived(core: &Client, count: u32) -> Vec<WrappedDataKey> {
    let (none, kind) = (EncryptionContext::new(), DataKeyKind::Object);
    let made = core.generate_data_keys_without_plaintext(KEY, &none, kind, count);
    made.await.unwrap().keys
}

fn item(key: &WrappedDataKey, rewrapped: Option<Vec<u8>>) -> RewrapItem {
    RewrapItem {
        wrapped: key.wrapped.clone(),
        context: key.context.clone(),
        rewrapped,
    }
}

fn report(key_id: KeyId, ranges: &[(u32, u64)], rewraps: Vec<ToldRewrap>) -> ArchiveReport {
    let range = |(version, count): &(u32, u64)| CensusRange {
        first: KeyVersion(*version),
        last: KeyVersion(*version),
        count: *count,
    };
    ArchiveReport {
        session: [1; 16],
        whole: true,
        damaged: 0,
        keys: vec![(key_id, ranges.iter().map(range).collect())],
        rewraps,
    }
}

fn told(key_id: KeyId, job: &Rewrap, left: u64) -> ToldRewrap {
    ToldRewrap {
        key_id,
        number: job.number,
        left,
        leased: false,
        cursor: None,
        failed: 0,
        reason: None,
    }
}

// Mutation: without the comparison, what was planted passes for what was moved.
#[tokio::test(flavor = "multi_thread")]
async fn data_keys_move_within_their_key_and_nothing_is_opened_for_the_gateway() {
    let cluster = Cluster::of_one().await;
    let (operator, core, key_id) = with_core(&cluster).await;
    let keys = archived(&core, 2).await;
    operator.rotate_key(KEY, None).await.unwrap();
    let items: Vec<_> = keys.iter().map(|key| item(key, None)).collect();
    let moved = core.rewrap_data_keys(key_id, &items).await.unwrap();
    let moved: Vec<_> = moved.into_iter().map(Result::unwrap).collect();
    assert!(moved.iter().all(|moved| moved.key_version == KeyVersion(2)));

    // What was moved opens to the same data key, for who may open it.
    for (key, moved) in keys.iter().zip(&moved) {
        let before = operator.unwrap_data_key(&key.wrapped, &key.context);
        let after = operator.unwrap_data_key(&moved.wrapped, &key.context);
        let (before, after) = (before.await.unwrap(), after.await.unwrap());
        assert_eq!(before.secret.expose(), after.secret.expose());
    }
    let same = [item(&keys[0], Some(moved[0].wrapped.clone()))];
    let same = core.rewrap_data_keys(key_id, &same).await.unwrap();
    assert_eq!(same[0].as_ref().unwrap().key_version, KeyVersion(2));

    // Another one's, one that was changed, and one under another context.
    let mut changed = moved[0].wrapped.clone();
    *changed.last_mut().unwrap() ^= 1;
    for wrong in [
        item(&keys[0], Some(moved[1].wrapped.clone())),
        item(&keys[0], Some(changed.clone())),
        RewrapItem {
            context: keys[1].context.clone(),
            ..item(&keys[0], None)
        },
    ] {
        let answer = core.rewrap_data_keys(key_id, &[wrong]).await.unwrap();
        let refused = answer[0].as_ref().unwrap_err();
        assert_eq!(refused.reason(), Reason::OpenFailed);
    }
    for wrapped in [&moved[0].wrapped, &keys[0].wrapped] {
        let opened = core.unwrap_data_key(wrapped, &keys[0].context).await;
        assert_eq!(opened.err().unwrap().reason(), Reason::Denied);
    }
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_key_that_cannot_be_moved_keeps_no_other_from_it() {
    let cluster = Cluster::of_one().await;
    let (operator, core, key_id) = with_core(&cluster).await;
    let old = archived(&core, 1).await;
    operator.rotate_key(KEY, None).await.unwrap();
    let newer = archived(&core, 1).await;
    operator.rotate_key(KEY, None).await.unwrap();
    operator
        .disable_key_version(KEY, KeyVersion(1))
        .await
        .unwrap();
    let items = [item(&old[0], None), item(&newer[0], None)];
    let moved = core.rewrap_data_keys(key_id, &items).await.unwrap();
    let refused = moved[0].as_ref().unwrap_err();
    assert_eq!(refused.reason(), Reason::VersionDisabled);
    assert_eq!(moved[1].as_ref().unwrap().key_version, KeyVersion(3));
    // Of another key nothing is taken, and nothing of one that is disabled.
    let billing = operator.create_key("billing").await.unwrap().id;
    let denied = core.rewrap_data_keys(billing, &items[1..]).await;
    assert_eq!(denied.unwrap_err().reason(), Reason::Denied);
    operator.disable_key(KEY).await.unwrap();
    let disabled = core.rewrap_data_keys(key_id, &items[1..]).await;
    assert_eq!(disabled.unwrap_err().reason(), Reason::KeyDisabled);
    let started = operator.start_rewrap(KEY, None).await;
    assert_eq!(started.unwrap_err().reason(), Reason::KeyDisabled);
    // A device that is revoked sends nothing any more; what it sent can still be moved.
    operator.enable_key(KEY).await.unwrap();
    operator.revoke_device("mon-1", None).await.unwrap();
    let moved = core.rewrap_data_keys(key_id, &items[1..]).await.unwrap();
    assert_eq!(moved[0].as_ref().unwrap().key_version, KeyVersion(3));
    cluster.stop().await;
}

// Mutation: a job kept in the memory of the leader that began it.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_and_the_census_outlive_the_leader() {
    let mut cluster = Cluster::of_three().await;
    let (operator, core, key_id) = with_core(&cluster).await;
    operator.rotate_key(KEY, None).await.unwrap();
    assert!(core.report_archive(None).await.unwrap().is_empty());
    core.report_archive(Some(&report(key_id, &[(1, 7), (2, 1)], Vec::new())))
        .await
        .unwrap();
    let job = operator.start_rewrap(KEY, Some(50)).await.unwrap();
    assert_eq!(
        (job.state, job.target),
        (RewrapState::Running, KeyVersion(2))
    );
    assert!(!job.gateways[0].heard);
    let running = core.report_archive(None).await.unwrap();
    assert_eq!((running[0].key_id, running[0].rate), (key_id, 50));

    let status = operator.cluster_status().await.unwrap();
    let leads = |node: &&NodeStatus| node.role == NodeRole::Leader;
    let leader = status.nodes.iter().find(leads).unwrap().id;
    let at = usize::try_from(leader.0).unwrap() - 1;
    cluster.nodes[at].stop().await;
    let progress = report(key_id, &[(1, 2), (2, 6)], vec![told(key_id, &job, 2)]);
    eventually("the next leader hears", || async {
        core.report_archive(Some(&progress)).await.is_ok()
    })
    .await;
    let census = operator.census(Some(KEY.into())).await.unwrap();
    let counts: Vec<_> = census.keys[0]
        .versions
        .iter()
        .map(|it| it.data_keys)
        .collect();
    assert_eq!(counts, [2, 6]);
    assert_eq!(
        census.keys[0].versions[0].gateways,
        [("core".to_owned(), 2)]
    );
    assert_eq!(census.keys[0].versions[0].term, 1);
    assert!(census.archives[0].whole && census.archives[0].serves);
    let rewrap = census.keys[0].rewrap.as_ref().unwrap();
    assert_eq!((rewrap.number, rewrap.left()), (job.number, 2));
    let done = report(key_id, &[(2, 8)], vec![told(key_id, &job, 0)]);
    core.report_archive(Some(&done)).await.unwrap();
    let census = operator.census(Some(KEY.into())).await.unwrap();
    let rewrap = census.keys[0].rewrap.as_ref().unwrap();
    assert_eq!((rewrap.state, rewrap.done()), (RewrapState::Complete, 2));
    assert_eq!(census.keys[0].versions[0].data_keys, 0);
    assert!(core.report_archive(None).await.unwrap().is_empty());
    cluster.nodes.remove(at);
    cluster.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_of_archives_is_told() {
    let cluster = Cluster::of_one().await;
    let (operator, core, key_id) = with_core(&cluster).await;
    let census = operator.census(None).await.unwrap();
    let known = &census.archives[0];
    assert_eq!(
        (known.reported_ms, known.whole),
        (None, false),
        "it never told"
    );
    let partial = ArchiveReport {
        whole: false,
        damaged: 3,
        ..report(key_id, &[(1, 4)], Vec::new())
    };
    core.report_archive(Some(&partial)).await.unwrap();
    let census = operator.census(None).await.unwrap();
    let known = &census.archives[0];
    assert_eq!((known.whole, known.damaged), (false, 3));
    assert!(known.reported_ms.unwrap() <= census.now_ms);
    operator.revoke_gateway("core").await.unwrap();
    let census = operator.census(None).await.unwrap();
    assert!(
        !census.archives[0].serves,
        "its archive may exist all the same"
    );
    let device = census.keys.iter().find(|key| key.name == KEY).unwrap();
    assert_eq!(device.versions[0].data_keys, 4);

    let refused = operator.cancel_rewrap(KEY).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::InvalidArgument);
    let refused = operator.start_rewrap(KEY, Some(100_001)).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::InvalidArgument);
    let refused = operator.census(Some("nobody".into())).await.unwrap_err();
    assert_eq!(refused.reason(), Reason::KeyNotFound);
    cluster.stop().await;
}
