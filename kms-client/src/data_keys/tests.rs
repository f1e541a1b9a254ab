//! The cache against a source and events made by hand.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use envelope::id::{DataKeyId, KeyId, KeyVersion};
use envelope::secret::SecretKey;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::*;
use crate::limits::{LEASES_MAX, UNNAMED_CHANGES_MAX};
use crate::model::{CacheLimits, DataKey, KeyChange, KeyState};

const WIDE: CacheLimits = CacheLimits {
    max_age: Duration::from_secs(3600),
    max_objects: 1000,
    max_bytes: 1 << 40,
};

/// Hands out keys of the version it is told, or refuses.
struct Script {
    key_id: KeyId,
    limits: CacheLimits,
    version: AtomicU32,
    fetched: AtomicU32,
    refusal: Mutex<Option<Reason>>,
    /// When set, a fetch waits for a permission before it answers.
    gate: Option<(Notify, Notify)>,
}

impl Source for Script {
    fn generate(
        &self,
        _key: KeySelector,
        context: EncryptionContext,
    ) -> BoxFuture<'_, Result<DataKeys, Error>> {
        Box::pin(async move {
            let version = KeyVersion(self.version.load(Ordering::SeqCst));
            if let Some((arrived, go)) = &self.gate {
                arrived.notify_one();
                go.notified().await;
            }
            self.fetched.fetch_add(1, Ordering::SeqCst);
            if let Some(reason) = *self.refusal.lock().unwrap() {
                return Err(Error::new(reason, "as the script says"));
            }
            let key = DataKey {
                id: DataKeyId::random(),
                secret: SecretKey::generate(),
                wrapped: vec![],
                context,
            };
            let (key_id, limits) = (self.key_id, self.limits);
            Ok(DataKeys {
                keys: vec![key],
                key_id,
                key_version: version,
                limits,
            })
        })
    }
}

fn script(limits: CacheLimits) -> Script {
    Script {
        key_id: KeyId::random(),
        limits,
        version: AtomicU32::new(1),
        fetched: AtomicU32::new(0),
        refusal: Mutex::new(None),
        gate: None,
    }
}

fn cache(script: Script) -> (Arc<Script>, Arc<Shared>) {
    let script = Arc::new(script);
    let source: Arc<dyn Source> = Arc::<Script>::clone(&script);
    (script, Arc::new(Shared::new(source, Handle::current())))
}

fn what() -> LeaseFor {
    LeaseFor::new(&KeySelector::device("mon-1"), &EncryptionContext::new())
}

fn event(kind: WatchEventKind) -> WatchEvent {
    WatchEvent {
        applied_index: 1,
        kind,
    }
}

fn changed(script: &Script, state: KeyState) -> WatchEvent {
    event(WatchEventKind::KeyChanged(KeyChange {
        key_id: script.key_id,
        name: "device/mon-1".into(),
        state,
        primary_version: KeyVersion(script.version.load(Ordering::SeqCst)),
        epoch: 1,
    }))
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), wait)
        .await
        .unwrap_or_else(|_| panic!("never: {what}"));
}

#[tokio::test]
async fn one_lease_serves_many_objects_and_one_fetch_many_callers() {
    let (script, cache) = cache(script(WIDE));
    let what = what();
    let (first, second) = tokio::join!(cache.get(&what, 10), cache.get(&what, 10));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.id(), second.id());
    assert_eq!(first.key_version(), KeyVersion(1));
    assert_eq!(cache.try_get(&what, 10).unwrap().id(), first.id());
    assert_eq!(script.fetched.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn try_get_never_waits_and_fetches_behind() {
    let (_, cache) = cache(script(WIDE));
    let what = what();
    assert!(cache.try_get(&what, 1).is_none());
    until("the lease is there", || cache.try_get(&what, 1).is_some()).await;
}

#[tokio::test]
async fn a_used_up_lease_is_followed_by_another() {
    let limits = CacheLimits {
        max_objects: 3,
        ..WIDE
    };
    let (_, cache) = cache(script(limits));
    let what = what();
    let mut uses = std::collections::HashMap::new();
    for _ in 0..30 {
        *uses
            .entry(cache.get(&what, 1).await.unwrap().id())
            .or_insert(0) += 1;
    }
    assert!(uses.len() >= 10, "{uses:?}");
    assert!(uses.values().all(|&count| count <= 3), "{uses:?}");
}

#[tokio::test]
async fn at_half_a_successor_is_fetched_while_the_lease_still_serves() {
    let limits = CacheLimits {
        max_bytes: 100,
        ..WIDE
    };
    let (script, cache) = cache(script(limits));
    let what = what();
    let first = cache.get(&what, 50).await.unwrap();
    until("a successor", || script.fetched.load(Ordering::SeqCst) == 2).await;
    until("it serves", || {
        cache
            .try_get(&what, 1)
            .is_some_and(|it| it.id() != first.id())
    })
    .await;
}

#[tokio::test]
async fn an_object_that_no_lease_can_hold_is_refused() {
    let (script, cache) = cache(script(CacheLimits {
        max_bytes: 100,
        ..WIDE
    }));
    let refused = cache.get(&what(), 101).await.err().unwrap();
    assert_eq!(refused.reason(), Reason::Quota);
    assert!(script.fetched.load(Ordering::SeqCst) <= 3);
}

#[tokio::test]
async fn a_rotation_drops_the_lease_at_once_and_fetches_the_new_version() {
    let (script, cache) = cache(script(WIDE));
    let what = what();
    let old = cache.get(&what, 1).await.unwrap();
    script.version.store(2, Ordering::SeqCst);
    cache.apply(&changed(&script, KeyState::Enabled));
    assert!(
        cache
            .try_get(&what, 1)
            .is_none_or(|lease| lease.id() != old.id())
    );
    let new = cache.get(&what, 1).await.unwrap();
    assert_eq!(new.key_version(), KeyVersion(2));
    assert_eq!(
        Arc::strong_count(&old),
        1,
        "only its holder keeps the old key alive"
    );
}

#[tokio::test]
async fn a_fetch_that_began_before_a_rotation_brings_nothing() {
    rotated_while_fetched(what(), |_| {}).await;
}

/// Who may not list keys is told of a change without the key's name, when the cache does not know
/// yet which key the name is of.
#[tokio::test]
async fn nor_does_it_when_only_the_keys_id_is_told() {
    rotated_while_fetched(what(), |change| change.name.clear()).await;
}

/// An alias that is moved meanwhile is told of as a change of the key that loses it.
#[tokio::test]
async fn nor_does_it_when_the_key_is_asked_for_by_an_alias() {
    let by_alias = LeaseFor::new(&"alias/x".into(), &EncryptionContext::new());
    rotated_while_fetched(by_alias, |_| {}).await;
}

async fn rotated_while_fetched(what: LeaseFor, told_as: fn(&mut KeyChange)) {
    let mut gated = script(WIDE);
    gated.gate = Some((Notify::new(), Notify::new()));
    let (script, cache) = cache(gated);
    let (arrived, go) = script.gate.as_ref().unwrap();
    let rotates_meanwhile = async {
        arrived.notified().await;
        script.version.store(2, Ordering::SeqCst);
        let mut rotated = changed(&script, KeyState::Enabled);
        if let WatchEventKind::KeyChanged(change) = &mut rotated.kind {
            told_as(change);
        }
        cache.apply(&rotated);
        go.notify_one();
        arrived.notified().await;
        go.notify_one();
    };
    let both = async { tokio::join!(cache.get(&what, 1), rotates_meanwhile) };
    let (lease, ()) = timeout(Duration::from_secs(10), both)
        .await
        .expect("it is fetched again");
    assert_eq!(lease.unwrap().key_version(), KeyVersion(2));
}

#[tokio::test]
async fn other_keys_without_a_name_do_not_hinder_a_fetch_unless_there_are_very_many() {
    let mut gated = script(WIDE);
    gated.gate = Some((Notify::new(), Notify::new()));
    let (script, cache) = cache(gated);
    let (what, (arrived, go)) = (what(), script.gate.as_ref().unwrap());
    let meanwhile = async {
        for changes in [UNNAMED_CHANGES_MAX + 1, UNNAMED_CHANGES_MAX] {
            arrived.notified().await;
            for _ in 0..changes {
                let mut other = changed(&script, KeyState::Enabled);
                if let WatchEventKind::KeyChanged(change) = &mut other.kind {
                    (change.key_id, change.name) = (KeyId::random(), String::new());
                }
                cache.apply(&other);
            }
            go.notify_one();
        }
    };
    let both = async { tokio::join!(cache.get(&what, 1), meanwhile) };
    let (lease, ()) = timeout(Duration::from_secs(10), both).await.unwrap();
    lease.unwrap();
    assert_eq!(script.fetched.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_disabled_key_has_no_lease() {
    let (script, cache) = cache(script(WIDE));
    let what = what();
    cache.get(&what, 1).await.unwrap();
    *script.refusal.lock().unwrap() = Some(Reason::KeyDisabled);
    cache.apply(&changed(&script, KeyState::Disabled));
    assert!(cache.try_get(&what, 1).is_none());
    let refused = cache.get(&what, 1).await.err().unwrap();
    assert_eq!(refused.reason(), Reason::KeyDisabled);
}

#[tokio::test]
async fn a_resync_replaces_everything_and_another_keys_change_nothing() {
    let (script, cache) = cache(script(WIDE));
    let what = what();
    let first = cache.get(&what, 1).await.unwrap();
    let mut other = changed(&script, KeyState::Disabled);
    if let WatchEventKind::KeyChanged(change) = &mut other.kind {
        change.key_id = KeyId::random();
        change.name = "device/other".into();
    }
    cache.apply(&other);
    if let WatchEventKind::KeyChanged(change) = &mut other.kind {
        change.name.clear();
    }
    cache.apply(&other);
    cache.apply(&event(WatchEventKind::Heartbeat { through_index: 1 }));
    assert_eq!(cache.get(&what, 1).await.unwrap().id(), first.id());
    cache.apply(&event(WatchEventKind::Resync));
    until("the successor", || {
        cache
            .try_get(&what, 1)
            .is_some_and(|lease| lease.id() != first.id())
    })
    .await;
    assert_eq!(
        script.fetched.load(Ordering::SeqCst),
        2,
        "no longer suspect"
    );
}

#[tokio::test]
async fn a_lease_serves_on_after_a_resync_until_its_key_can_be_checked() {
    let (script, cache) = cache(script(WIDE));
    let what = what();
    let first = cache.get(&what, 1).await.unwrap();
    let check_failed = |fetched: u32| {
        script.fetched.load(Ordering::SeqCst) >= fetched && cache.lock().running(&what).is_none()
    };
    *script.refusal.lock().unwrap() = Some(Reason::NoQuorum);
    cache.apply(&event(WatchEventKind::Resync));
    until("the check fails", || check_failed(2)).await;
    assert_eq!(cache.get(&what, 1).await.unwrap().id(), first.id());
    // Nobody has to ask for the check to be made again; a refusal then ends the lease.
    *script.refusal.lock().unwrap() = Some(Reason::KeyDisabled);
    until("the key is checked", || {
        cache.sweep(sys::clock::boottime());
        check_failed(3)
    })
    .await;
    assert!(cache.try_get(&what, 1).is_none());
}

#[tokio::test]
async fn a_disabled_key_ends_a_suspect_lease_at_once() {
    let (script, cache) = cache(script(WIDE));
    let what = what();
    cache.get(&what, 1).await.unwrap();
    *script.refusal.lock().unwrap() = Some(Reason::NoQuorum);
    cache.apply(&event(WatchEventKind::Resync));
    assert!(cache.try_get(&what, 1).is_some());
    cache.apply(&changed(&script, KeyState::Disabled));
    assert!(cache.try_get(&what, 1).is_none());
}

#[tokio::test]
async fn a_lease_serves_on_while_the_cluster_is_away_but_not_after_a_refusal() {
    let limits = CacheLimits {
        max_objects: 100,
        ..WIDE
    };
    for (reason, serves) in [(Reason::Unavailable, true), (Reason::Denied, false)] {
        let (script, cache) = cache(script(limits));
        let what = what();
        let first = cache.get(&what, 1).await.unwrap();
        *script.refusal.lock().unwrap() = Some(reason);
        for _ in 0..50 {
            cache.try_get(&what, 1);
        }
        until("the refresh failed", || {
            script.fetched.load(Ordering::SeqCst) == 2 && cache.lock().running(&what).is_none()
        })
        .await;
        let now_served = cache.try_get(&what, 1).map(|lease| lease.id());
        assert_eq!(now_served, serves.then(|| first.id()), "{reason}");
    }
}

#[tokio::test]
async fn an_old_lease_is_swept_and_the_number_of_leases_is_bounded() {
    let (_, cache) = cache(script(WIDE));
    let what = what();
    let lease = cache.get(&what, 1).await.unwrap();
    let later = sys::clock::boottime() + WIDE.max_age;
    cache.lock().sweep(later);
    assert_eq!(cache.lock().len(), 0);
    assert_eq!(Arc::strong_count(&lease), 1);

    let now = sys::clock::boottime();
    let mut entries = Entries::default();
    for number in 0..LEASES_MAX + 5 {
        let selector = KeySelector::Name(number.to_string());
        let what = LeaseFor::new(&selector, &EncryptionContext::new());
        entries.reserve(&what, now, 1);
    }
    assert_eq!(entries.len(), LEASES_MAX);
}

// Mutation: a lease counts though it was withdrawn, or is too old.
#[tokio::test]
async fn a_lease_under_an_older_version_is_known_until_it_is_withdrawn_or_over() {
    let (script, cache) = cache(script(WIDE));
    let what = what();
    let now = sys::clock::boottime();
    let older = |now, version| {
        let version = KeyVersion(version);
        cache.lock().holds_older(now, script.key_id, version)
    };
    assert!(!older(now, 2), "there is none");
    cache.get(&what, 10).await.unwrap();
    assert!(older(now, 2) && !older(now, 1));
    assert!(
        !older(now + Duration::from_secs(3_601), 2),
        "its time is over"
    );
    script.version.store(2, Ordering::SeqCst);
    cache.apply(&changed(&script, KeyState::Enabled));
    assert!(!older(now, 2), "nothing begins under it any more");
    until("the next lease", || cache.try_get(&what, 1).is_some()).await;
    assert!(!older(now, 2) && older(now, 3));
}
