//! StartRewrap, CancelRewrap, ReportArchive.

use super::*;
use crate::command::{CancelRewrap, ReportArchive, StartRewrap, ToldKey, ToldRewrap};
use crate::state::{CensusRange, RewrapRecord, RewrapState};

/// A cluster with key 1 at version 2, and core gateways that have announced themselves.
fn with_cores(cores: &[&str]) -> State {
    let mut state = State::begun();
    state.run(create_key("k", 1)).unwrap();
    state.run(rotate(1, 2)).unwrap();
    for (at, core) in cores.iter().enumerate() {
        let secret = at as u8 + 1;
        state
            .run(token(secret, Role::Gateway, core, u64::MAX))
            .unwrap();
        state.run(consume(secret, secret, Role::Gateway)).unwrap();
        state.run(announce(core)).unwrap();
    }
    state
}

fn start(target: u32, rate: u32) -> Command {
    Command::StartRewrap(StartRewrap {
        key_id: key_id(1),
        target,
        rate,
        by: "spiffe://ward.test/operator/admin".to_owned(),
    })
}

fn cancel() -> Command {
    Command::CancelRewrap(CancelRewrap { key_id: key_id(1) })
}

fn range(first: u32, last: u32, count: u64) -> CensusRange {
    CensusRange { first, last, count }
}

/// What `gateway` tells in one session: ranges of key 1, and how far it is with a job.
fn report(gateway: &str, session: u8, ranges: &[CensusRange]) -> ReportArchive {
    ReportArchive {
        gateway_id: gateway.to_owned(),
        session: [session; 16],
        whole: true,
        damaged: 0,
        keys: vec![ToldKey {
            key_id: key_id(1),
            ranges: ranges.to_vec(),
        }],
        rewraps: Vec::new(),
    }
}

fn progress(gateway: &str, number: u64, left: u64, leased: bool) -> Command {
    Command::ReportArchive(Box::new(ReportArchive {
        rewraps: vec![ToldRewrap {
            key_id: key_id(1),
            number,
            left,
            leased,
            cursor: 0,
            failed: 0,
            reason: String::new(),
        }],
        keys: Vec::new(),
        ..report(gateway, 1, &[])
    }))
}

impl State {
    fn told(&mut self, report: ReportArchive) {
        let answer = self.run(Command::ReportArchive(Box::new(report)));
        assert_eq!(answer, Ok(Outcome::ArchiveReported));
    }

    fn job(&self) -> &RewrapRecord {
        self.index.rewrap(&key_id(1)).unwrap()
    }

    fn census(&self) -> Vec<(String, Vec<CensusRange>)> {
        let census = self.index.key_census(key_id(1));
        census
            .map(|(gateway, census)| (gateway.to_owned(), census.ranges.clone()))
            .collect()
    }
}

// Mutation: complete when the gateway that tells is done, whatever the others have told.
#[test]
fn a_job_is_complete_when_no_gateway_has_anything_left_and_not_before() {
    let mut state = with_cores(&["core-a", "core-b"]);
    let answer = state.run(start(2, 0));
    let (key_id, number) = (key_id(1), 1);
    assert_eq!(answer, Ok(Outcome::RewrapStarted { key_id, number }));
    assert_eq!((state.job().target, state.job().rate), (2, 500));
    assert_eq!(state.index.running_rewraps().count(), 1);
    for (gateway, left, leased) in [
        ("core-a", 3, false),
        ("core-b", 0, true),
        ("core-a", 0, false),
        ("core-b", 5, false),
    ] {
        state.run(progress(gateway, 1, left, leased)).unwrap();
        assert_eq!(state.job().state, RewrapState::Running, "{gateway} {left}");
    }
    let told = state.index.rewrap_progress(&key_id, "core-a").unwrap();
    assert_eq!((told.total, told.left), (3, 0), "what was left is done");
    state.run(progress("core-b", 1, 0, false)).unwrap();
    assert_eq!(state.job().state, RewrapState::Complete);
    assert_eq!(state.job().ended_ms, START);
    assert_eq!(state.index.running_rewraps().count(), 0);
    // What comes late changes nothing.
    state.run(progress("core-b", 1, 7, false)).unwrap();
    assert_eq!(state.job().state, RewrapState::Complete);
}

#[test]
fn a_job_is_followed_raised_and_begun_again() {
    let mut state = with_cores(&["core"]);
    state.refuse(start(1, 0), Refusal::Conflict);
    state.run(start(2, 7)).unwrap();
    state.run(start(2, 0)).unwrap();
    assert_eq!((state.job().number, state.job().rate), (1, 7), "followed");
    state.run(start(2, 9)).unwrap();
    assert_eq!((state.job().number, state.job().rate), (1, 9), "faster");
    // Another version is the primary by now: what was moved to the former is to be moved again.
    let revision = state.index.key(&key_id(1)).unwrap().revision;
    state.run(rotate(revision, 3)).unwrap();
    state.run(progress("core", 1, 4, false)).unwrap();
    state.run(start(3, 0)).unwrap();
    assert_eq!((state.job().number, state.job().target), (2, 3));
    // What is told of the former job says nothing about this one.
    state.run(progress("core", 1, 0, false)).unwrap();
    assert_eq!(state.job().state, RewrapState::Running);
    state.run(progress("core", 2, 0, false)).unwrap();
    assert_eq!(state.job().state, RewrapState::Complete);
    state.run(start(3, 0)).unwrap();
    let job = state.job();
    assert_eq!((job.number, job.state), (3, RewrapState::Running));
}

#[test]
fn a_job_is_cancelled_once() {
    let mut state = with_cores(&["core"]);
    state.refuse(cancel(), Refusal::RewrapNotFound);
    state.run(start(2, 0)).unwrap();
    let key_id = key_id(1);
    assert_eq!(state.run(cancel()), Ok(Outcome::RewrapCancelled { key_id }));
    assert_eq!(state.job().state, RewrapState::Cancelled);
    assert_eq!(state.index.running_rewraps().count(), 0);
    state.refuse(cancel(), Refusal::RewrapNotFound);
    state.run(progress("core", 1, 0, false)).unwrap();
    assert_eq!(state.job().state, RewrapState::Cancelled, "it stays so");
}

#[test]
fn without_a_gateway_there_is_nothing_to_do() {
    let mut state = with_cores(&[]);
    state.run(start(2, 0)).unwrap();
    assert_eq!(state.job().state, RewrapState::Complete);
    assert_eq!(state.index.running_rewraps().count(), 0);
}

#[test]
fn a_gateway_that_is_revoked_is_not_waited_for_and_its_census_stays() {
    let mut state = with_cores(&["core-a", "core-b"]);
    state.told(report("core-b", 1, &[range(1, 1, 5)]));
    state.run(start(2, 0)).unwrap();
    state.run(progress("core-a", 1, 0, false)).unwrap();
    assert_eq!(state.job().state, RewrapState::Running);
    let gateway_id = "core-b".to_owned();
    state
        .run(Command::RevokeGateway(crate::command::RevokeGateway {
            gateway_id,
        }))
        .unwrap();
    state.refuse(progress("core-b", 1, 0, false), Refusal::IdentityRevoked);
    state.run(progress("core-a", 1, 0, false)).unwrap();
    assert_eq!(state.job().state, RewrapState::Complete);
    assert_eq!(state.census(), [("core-b".into(), vec![range(1, 1, 5)])]);
}

#[test]
fn what_may_not_be_rewrapped_is_refused() {
    let mut state = with_cores(&["core"]);
    state.refuse(start(2, 100_001), Refusal::TooLarge);
    state.run(set(KeyState::Disabled)).unwrap();
    state.refuse(start(2, 0), Refusal::KeyDisabled);
    let unknown = Command::StartRewrap(StartRewrap {
        key_id: key_id(9),
        target: 1,
        rate: 0,
        by: String::new(),
    });
    state.refuse(unknown, Refusal::KeyNotFound);
}

#[test]
fn so_many_jobs_run_and_no_more() {
    let mut state = with_cores(&["core"]);
    let job = |number| {
        Command::StartRewrap(StartRewrap {
            key_id: key_id(number),
            target: 1,
            rate: 0,
            by: String::new(),
        })
    };
    for number in 2..=257 {
        state
            .run(create_key(&format!("k-{number}"), number))
            .unwrap();
        state.run(job(number)).unwrap();
    }
    state.refuse(start(2, 0), Refusal::RewrapsFull);
    // One that runs is followed all the same.
    state.run(job(2)).unwrap();
}

// Mutation: a census of an earlier session counts also when this one is whole.
#[test]
fn what_a_whole_session_has_not_told_is_there_no_more() {
    let mut state = with_cores(&["core"]);
    state.told(report("core", 1, &[range(1, 1, 5), range(2, 9, 3)]));
    let all = [("core".to_owned(), vec![range(1, 1, 5), range(2, 9, 3)])];
    assert_eq!(state.census(), all);
    // The gateway has started again and told nothing of this key yet.
    let begun = ReportArchive {
        keys: Vec::new(),
        whole: false,
        ..report("core", 2, &[])
    };
    state.told(begun.clone());
    assert_eq!(state.census(), all, "it may still be there");
    state.told(ReportArchive {
        whole: true,
        ..begun
    });
    assert_eq!(state.census(), []);
    state.told(report("core", 2, &[range(2, 2, 8)]));
    assert_eq!(state.census(), [("core".into(), vec![range(2, 2, 8)])]);
    state.told(report("core", 2, &[]));
    assert_eq!(state.census(), []);
    assert_eq!(
        state.index.archive_report("core").unwrap().reported_ms,
        START
    );
}

#[test]
fn a_report_that_is_no_report_is_refused() {
    let mut state = with_cores(&["core"]);
    let refuse = |state: &mut State, report: ReportArchive, refusal| {
        state.refuse(Command::ReportArchive(Box::new(report)), refusal);
    };
    let stranger = report("stranger", 1, &[]);
    refuse(&mut state, stranger, Refusal::IdentityNotFound);
    for ranges in [
        vec![range(2, 1, 1)],
        vec![range(1, 1, 0)],
        vec![range(1, 2, 1), range(2, 3, 1)],
        (1..=4_097)
            .map(|version| range(version, version, 1))
            .collect(),
    ] {
        refuse(&mut state, report("core", 1, &ranges), Refusal::TooLarge);
    }
    let keys = (0..257).map(|number| ToldKey {
        key_id: key_id(number),
        ranges: Vec::new(),
    });
    let many = ReportArchive {
        keys: keys.collect(),
        ..report("core", 1, &[])
    };
    refuse(&mut state, many, Refusal::TooLarge);
    let told = |reason: &str| ReportArchive {
        rewraps: vec![ToldRewrap {
            key_id: key_id(1),
            number: 1,
            left: 1,
            leased: false,
            cursor: 1,
            failed: 1,
            reason: reason.to_owned(),
        }],
        ..report("core", 1, &[])
    };
    for reason in ["key disabled", "<b>", &"A".repeat(65)] {
        refuse(&mut state, told(reason), Refusal::TooLarge);
    }
    state.told(told("KEY_DISABLED"));
    // Of a key that nobody knows, and of a job that does not run, nothing is kept.
    let mut unknown = report("core", 1, &[range(1, 1, 1)]);
    unknown.keys[0].key_id = key_id(9);
    state.told(unknown);
    assert_eq!(state.index.key_census(key_id(9)).count(), 0);
    assert_eq!(state.index.rewrap_progress(&key_id(1), "core"), None);
}
