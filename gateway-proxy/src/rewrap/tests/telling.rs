//! Reports: only what is new, a bounded part at a time, the whole at the end.

use std::collections::BTreeMap;

use kms_client::model::CensusRange;

use super::*;
use crate::rewrap::limits::{RANGES_MAX, REPORT_KEYS};
use crate::rewrap::shelf::Shelf;
use crate::rewrap::teller::{Census, Teller};

const CONFIRM: Duration = Duration::from_secs(60);

fn range(version: u32, count: u64) -> CensusRange {
    CensusRange {
        first: KeyVersion(version),
        last: KeyVersion(version),
        count,
    }
}

fn key(number: u16) -> KeyId {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    KeyId::from_bytes(bytes)
}

#[test]
fn many_keys_are_told_in_parts_and_the_whole_only_with_the_last() {
    let now = sys::clock::monotonic();
    let count = u16::try_from(2 * REPORT_KEYS + 1).unwrap();
    let census: Census = (0..count).map(|n| (key(n), vec![range(1, 1)])).collect();
    let mut teller = Teller::new();
    for (keys, whole) in [(REPORT_KEYS, false), (REPORT_KEYS, false), (1, true)] {
        let report = teller.report(&census, 0, Vec::new(), now, CONFIRM).unwrap();
        assert_eq!((report.keys.len(), report.whole), (keys, whole));
        teller.told(report, now);
    }
    assert_eq!(teller.report(&census, 0, Vec::new(), now, CONFIRM), None);
    // What has not changed is told again after a while, without its keys.
    let later = now + CONFIRM;
    let again = teller
        .report(&census, 0, Vec::new(), later, CONFIRM)
        .unwrap();
    assert_eq!((again.keys.len(), again.whole), (0, true));
}

#[test]
fn what_is_gone_is_told_as_nothing() {
    let now = sys::clock::monotonic();
    let mut teller = Teller::new();
    let census = BTreeMap::from([(key(1), vec![range(1, 5)])]);
    let report = teller.report(&census, 0, Vec::new(), now, CONFIRM).unwrap();
    teller.told(report, now);
    let none = Census::new();
    let report = teller.report(&none, 0, Vec::new(), now, CONFIRM).unwrap();
    assert_eq!(report.keys, [(key(1), Vec::new())]);
    // One that was not taken is told again.
    assert_eq!(
        teller.report(&none, 0, Vec::new(), now, CONFIRM),
        Some(report.clone())
    );
    teller.told(report, now);
    assert_eq!(teller.report(&none, 0, Vec::new(), now, CONFIRM), None);
    let damaged = teller.report(&none, 1, Vec::new(), now, CONFIRM).unwrap();
    assert_eq!(damaged.damaged, 1);
}

#[test]
fn a_gateway_without_an_archive_tells_that_it_holds_nothing() {
    let rig = Rig::start();
    let kms = kms(&rig);
    let mut work = Work::new(None, kms.clone());
    work.look();
    let script = kms.script();
    let report = &script.reports[0];
    assert!(report.whole && report.keys.is_empty());
    assert!(Shelf::new(None).is_whole() && RANGES_MAX >= 1_000);
}
