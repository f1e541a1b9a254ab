//! What the gates promise, without a flow: who is let in, who is cut, what may be acknowledged.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures::FutureExt;
use kms_client::model::ContainLevel;

use super::*;
use crate::ids::{DeviceId, ServiceName};

fn device() -> DeviceId {
    "pump-7".parse().unwrap()
}

fn service(name: &str) -> ServiceName {
    name.parse().unwrap()
}

fn at(epoch: u64, level: ContainLevel) -> Standing {
    Standing {
        revision: epoch + 1,
        epoch,
        level,
        services: vec!["lab".into()],
        ..Standing::default()
    }
}

fn now() -> Duration {
    sys::clock::boottime()
}

/// One device, free, under a lease of an hour.
fn gates() -> Gates {
    let gates = Gates::default();
    gates.lease().extend(now() + Duration::from_secs(3600));
    gates.apply(&device(), at(0, ContainLevel::None));
    gates
}

fn enter(gates: &Gates, name: &str) -> Result<Pass, Closed> {
    gates.enter(&device(), &service(name))
}

fn keep(gates: &Gates) {
    gates.kept(&gates.standings());
}

#[test]
fn each_level_lets_in_what_it_says() {
    for (level, lab, pacs) in [
        (ContainLevel::None, true, true),
        (ContainLevel::Observe, true, true),
        (ContainLevel::Restrict, true, false),
        (ContainLevel::Isolate, false, false),
        (ContainLevel::Revoke, false, false),
    ] {
        let gates = gates();
        let live = [enter(&gates, "lab"), enter(&gates, "pacs")].map(Result::unwrap);
        gates.apply(&device(), at(1, level));
        for (name, pass, goes_on) in [("lab", &live[0], lab), ("pacs", &live[1], pacs)] {
            let expected = if goes_on {
                Ok(())
            } else {
                Err(Closed::Contained)
            };
            assert_eq!(pass.check(), expected, "{level}: a live flow to {name}");
            let entered = enter(&gates, name).map(drop);
            assert_eq!(entered, expected, "{level}: a new flow to {name}");
        }
    }
}

#[test]
fn an_order_wakes_the_flow_it_cuts_and_no_other() {
    let gates = gates();
    let (lab, pacs) = (
        enter(&gates, "lab").unwrap(),
        enter(&gates, "pacs").unwrap(),
    );
    let mut cut = Box::pin(pacs.stopped());
    let mut spared = Box::pin(lab.stopped());
    assert_eq!((&mut cut).now_or_never(), None);
    assert_eq!((&mut spared).now_or_never(), None);
    gates.apply(&device(), at(1, ContainLevel::Restrict));
    assert_eq!((&mut cut).now_or_never(), Some(Closed::Contained));
    assert_eq!((&mut spared).now_or_never(), None);
}

#[test]
fn a_release_lets_new_flows_in_and_revives_none() {
    let gates = gates();
    let cut = enter(&gates, "lab").unwrap();
    gates.apply(&device(), at(1, ContainLevel::Isolate));
    gates.apply(&device(), at(2, ContainLevel::None));
    assert_eq!(cut.check(), Err(Closed::Contained));
    assert!(enter(&gates, "lab").is_ok());
}

#[test]
fn what_is_older_than_what_is_known_changes_nothing() {
    let gates = gates();
    gates.apply(&device(), at(2, ContainLevel::Isolate));
    assert!(!gates.apply(&device(), at(1, ContainLevel::None)));
    assert_eq!(enter(&gates, "lab").unwrap_err(), Closed::Contained);
}

#[test]
fn nobody_is_let_in_before_the_first_lease() {
    let gates = Gates::default();
    assert_eq!(enter(&gates, "lab").unwrap_err(), Closed::NoLease);
    let standing = Standing {
        allowance: Duration::from_secs(86_400),
        ..at(0, ContainLevel::None)
    };
    gates.apply(&device(), standing);
    let refused = enter(&gates, "lab").unwrap_err();
    assert_eq!(refused, Closed::NoLease, "an allowance alone is no lease");
    gates.lease().extend(now() + Duration::from_secs(60));
    assert!(enter(&gates, "lab").is_ok());
}

#[test]
fn the_lease_and_the_allowance_together_are_the_time() {
    let gates = Gates::default();
    gates.lease().extend(now() - Duration::from_secs(10));
    for (allowance_s, open) in [(0, false), (5, false), (3600, true)] {
        let standing = Standing {
            allowance: Duration::from_secs(allowance_s),
            ..at(allowance_s, ContainLevel::None)
        };
        gates.apply(&device(), standing);
        assert_eq!(enter(&gates, "lab").is_ok(), open, "{allowance_s} s");
    }
    // A shorter allowance counts at once, for the flow that is live too.
    let live = enter(&gates, "lab").unwrap();
    gates.apply(&device(), at(9_999, ContainLevel::None));
    assert_eq!(live.check(), Err(Closed::NoLease));
    assert_eq!(live.stopped().now_or_never(), None, "nobody has swept yet");
    gates.sweep();
    assert_eq!(live.stopped().now_or_never(), Some(Closed::NoLease));
}

#[test]
fn a_device_that_is_not_listed_any_more_is_not_served() {
    let gates = gates();
    let live = enter(&gates, "lab").unwrap();
    let other = HashMap::from([("pump-8".parse().unwrap(), at(0, ContainLevel::None))]);
    assert!(gates.replace(other.clone()));
    assert_eq!(live.check(), Err(Closed::NoLease));
    assert_eq!(enter(&gates, "lab").unwrap_err(), Closed::NoLease);
    assert!(!gates.replace(other), "the same again is no change");
}

#[test]
fn an_order_is_due_when_its_last_flow_has_ended_and_it_outlives_a_restart() {
    let gates = gates();
    let live = [enter(&gates, "lab"), enter(&gates, "pacs")].map(Result::unwrap);
    gates.apply(&device(), at(1, ContainLevel::Isolate));
    keep(&gates);
    assert!(gates.due().is_empty(), "two flows are still there");
    let [first, last] = live;
    drop(first);
    assert!(gates.due().is_empty(), "one flow is still there");
    drop(last);
    assert_eq!(gates.due(), [(device(), 1)]);
    assert!(gates.news().now_or_never().is_some(), "the waiter is told");
    gates.acknowledged(&device(), 1);
    assert!(gates.due().is_empty(), "told once");
}

#[test]
fn an_order_that_would_not_outlive_a_restart_is_not_due() {
    let gates = gates();
    gates.apply(&device(), at(1, ContainLevel::Isolate));
    assert!(gates.due().is_empty());
    keep(&gates);
    assert_eq!(gates.due(), [(device(), 1)]);
}

#[test]
fn an_order_that_came_while_another_was_acknowledged_stays_due() {
    let gates = gates();
    gates.apply(&device(), at(1, ContainLevel::Isolate));
    gates.apply(&device(), at(2, ContainLevel::Revoke));
    keep(&gates);
    gates.acknowledged(&device(), 1);
    assert_eq!(gates.due(), [(device(), 2)]);
}

#[test]
fn what_the_kms_calls_settled_is_not_acknowledged_again() {
    let gates = gates();
    let settled = Standing {
        settled: true,
        ..at(3, ContainLevel::Isolate)
    };
    gates.apply(&device(), settled);
    keep(&gates);
    assert!(gates.due().is_empty());
    assert_eq!(enter(&gates, "lab").unwrap_err(), Closed::Contained);
}

#[test]
fn what_was_kept_is_read_back_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(&dir.path().join("not/made/yet"));
    assert_eq!(store.load(), Kept::default(), "there is nothing yet");
    let standings = [ContainLevel::None, ContainLevel::Restrict].map(|level| at(4, level));
    let standings = ["pump-7", "pump-8"]
        .map(|id| id.parse().unwrap())
        .into_iter()
        .zip(standings);
    let kept = Kept {
        until: Some(Duration::from_secs(77)),
        standings: standings.collect(),
    };
    store.keep(&kept).unwrap();
    assert_eq!(store.load(), kept);
    let served = HashSet::from([device()]);
    let (of_served, others) = Kept::of(kept.until, kept.standings.clone(), &served);
    store.keep(&of_served).unwrap();
    assert_eq!(
        store.load().standings,
        kept.standings[..1],
        "who has no route here is left out"
    );
    assert_eq!(others, kept.standings[1..]);
}

#[test]
fn after_a_reboot_orders_count_and_the_lease_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::new(dir.path());
    let kept = Kept {
        until: Some(Duration::from_secs(77)),
        standings: vec![(device(), at(1, ContainLevel::Isolate))],
    };
    store.keep(&kept).unwrap();
    let path = dir.path().join("containment.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let rebooted = text.replace(&sys::clock::boot_id(), "another-run");
    std::fs::write(&path, rebooted).unwrap();
    let read = store.load();
    assert_eq!(read.until, None);
    assert_eq!(read.standings, kept.standings);
    for damaged in [&text[..text.len() / 2], "version = 9", ""] {
        std::fs::write(&path, damaged).unwrap();
        assert_eq!(store.load(), Kept::default(), "{damaged}");
    }
}

#[test]
fn where_nothing_can_be_written_nothing_old_may_be_left() {
    let dir = tempfile::tempdir().unwrap();
    let free = Kept {
        until: Some(Duration::from_secs(77)),
        standings: vec![(device(), at(0, ContainLevel::None))],
    };
    std::fs::write(dir.path().join("file"), "no folder").unwrap();
    let gone = Store::new(&dir.path().join("file"));
    assert!(gone.keep(&free).is_ok(), "nothing old stands there");
    let blocked = Store::new(dir.path());
    std::fs::create_dir(dir.path().join("containment.toml")).unwrap();
    assert!(
        blocked.keep(&free).is_err(),
        "what stands there is not ours to vouch for"
    );
}
