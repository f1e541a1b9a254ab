//! Rewrapping against a KMS that does what a test says, in the folder of a real archive. This file
//! holds both.

mod crashes;
mod moving;
mod refusals;
mod telling;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use envelope::id::{DataKeyId, KeyId, KeyVersion};
use envelope::segment::side_car_name;
use kms_client::Error;
use kms_client::model::{ArchiveReport, RewrapItem, Rewrapped, RunningRewrap, ToldRewrap};
use kms_client::reason::Reason;

use super::kms::{Kms, Moved};
use super::limits::Patience;
use super::side_car::{self, Counts, Found};
use super::work::Work;
use crate::archive::Segments;
use crate::archive::tests::rig::{KEY, Rig, TestFlow, TestKeys, message};
use crate::ids::Protocol;

/// What the KMS does, and what it was told.
#[derive(Default)]
struct Script {
    jobs: Vec<RunningRewrap>,
    reports: Vec<ArchiveReport>,
    /// How it answers to everything but reports.
    refusal: Option<Reason>,
    /// Data keys that it does not move.
    unwilling: Vec<DataKeyId>,
    /// It confirms nothing that was moved.
    denies_moved: bool,
    holds_older: bool,
    /// How long it was waited for, all in all.
    paused: Duration,
    moved: usize,
    /// The gateway stops once so many were moved.
    stop_after: Option<usize>,
}

/// A KMS whose key has the versions that the job says.
#[derive(Clone)]
struct TestKms {
    keys: Arc<TestKeys>,
    script: Arc<Mutex<Script>>,
}

impl TestKms {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    fn rewrap_one(&self, script: &mut Script, item: &RewrapItem) -> Result<Rewrapped, Error> {
        let refused = |reason| Error::new(reason, "as the script says");
        let secret = self.keys.opened(&item.wrapped, &item.context)?;
        let key_version = script.jobs[0].target;
        if let Some(rewrapped) = &item.rewrapped {
            let moved = self.keys.opened(rewrapped, &item.context)?;
            if script.denies_moved || moved.expose() != secret.expose() {
                return Err(refused(Reason::OpenFailed));
            }
            let wrapped = Vec::new();
            return Ok(Rewrapped {
                wrapped,
                key_version,
            });
        }
        let id: DataKeyId = item.context.get("ward:dk").unwrap().parse().unwrap();
        if script.unwilling.contains(&id) {
            return Err(refused(Reason::OpenFailed));
        }
        script.moved += 1;
        Ok(Rewrapped {
            wrapped: self
                .keys
                .wrapped(secret.expose(), &item.context, key_version),
            key_version,
        })
    }
}

impl Kms for TestKms {
    fn report(&self, report: Option<&ArchiveReport>) -> Result<Vec<RunningRewrap>, Error> {
        let mut script = self.script();
        script.reports.extend(report.cloned());
        Ok(script.jobs.clone())
    }

    fn rewrap(&self, _key_id: KeyId, items: &[RewrapItem]) -> Result<Moved, Error> {
        let mut script = self.script();
        if let Some(reason) = script.refusal {
            return Err(Error::new(reason, "as the script says"));
        }
        let items = items.iter();
        Ok(items
            .map(|item| self.rewrap_one(&mut script, item))
            .collect())
    }

    fn holds_older(&self, _key_id: KeyId, _version: KeyVersion) -> bool {
        self.script().holds_older
    }

    fn pause(&self, pause: Duration) -> bool {
        let mut script = self.script();
        script.paused += pause;
        script.stop_after.is_some_and(|after| script.moved >= after)
    }
}

/// Waits for nothing, and tells everything at once.
fn impatient() -> Patience {
    Patience {
        busy: Duration::ZERO,
        quiet: Duration::ZERO,
        stretch: Duration::from_secs(60),
        confirm: Duration::from_secs(3_600),
        settle: Duration::ZERO,
        blocked: Duration::ZERO,
        again: Duration::ZERO,
    }
}

/// A job that moves everything to this version.
fn job(target: u32, rate: u32) -> RunningRewrap {
    RunningRewrap {
        key_id: KEY,
        number: 1,
        target: KeyVersion(target),
        rate,
    }
}

fn kms(rig: &Rig) -> TestKms {
    TestKms {
        keys: rig.keys.clone(),
        script: Arc::default(),
    }
}

fn work(segments: Segments, kms: &TestKms) -> Work<TestKms> {
    let mut work = Work::new(Some(segments), kms.clone());
    work.patience = impatient();
    work
}

/// An archive with three segments that are closed, each with one data key under version 1, and one
/// that is open, under version 2.
fn archived() -> (Rig, TestFlow, Vec<u8>) {
    let rig = Rig::start();
    let mut flow = rig.open(Protocol::Hl7);
    let mut sent = Vec::new();
    for number in 0..4 {
        if number == 3 {
            rig.keys.rotate();
        } else {
            rig.keys.renew();
        }
        flow.taps.to_service.record(&message(number));
        sent.extend(message(number));
        rig.flush();
        if number < 3 {
            let segments = rig.running().segments();
            segments.end_open();
            rig.flush();
            assert_eq!(segments.open_from(), number as u64 + 2);
        }
    }
    (rig, flow, sent)
}

/// What lies in one side-car.
fn counted(rig: &Rig, sequence: u64) -> Counts {
    let mut counts = Counts::new();
    let path = rig.path().join(side_car_name(sequence));
    let Found::Whole(side_car) = side_car::read(&path).unwrap() else {
        panic!("side-car {sequence} is damaged");
    };
    assert!(side_car::add(&side_car, &mut counts));
    counts
}

/// What was told last of the job.
fn told(kms: &TestKms) -> ToldRewrap {
    let script = kms.script();
    let told = script.reports.iter().flat_map(|report| &report.rewraps);
    told.last().unwrap().clone()
}

/// What was told last of the key: version and number.
fn census(kms: &TestKms) -> Vec<(u32, u64)> {
    let script = kms.script();
    let told = script.reports.iter().flat_map(|report| &report.keys);
    let ranges = &told.last().unwrap().1;
    ranges.iter().map(|it| (it.first.0, it.count)).collect()
}
