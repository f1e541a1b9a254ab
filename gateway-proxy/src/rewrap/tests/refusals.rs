//! What cannot be moved stays as it was, is told as what it is, and keeps nothing else from moving.

use std::fs;

use kms_client::archive::Direction;

use super::*;

#[test]
fn a_key_that_is_disabled_stands_still_and_goes_on_when_it_is_enabled() {
    let (rig, _flow, sent) = archived();
    let kms = kms(&rig);
    {
        let mut script = kms.script();
        (script.jobs, script.refusal) = (vec![job(2, 1_000)], Some(Reason::KeyDisabled));
    }
    let mut work = work(rig.running().segments(), &kms);
    for _ in 0..3 {
        work.patience.blocked = Duration::from_secs(3_600);
        work.look();
    }
    let stands = told(&kms);
    assert_eq!((stands.left, stands.reason), (3, Some(Reason::KeyDisabled)));
    kms.script().refusal = None;
    for job in work.jobs.values_mut() {
        job.goes_on();
    }
    for _ in 0..4 {
        work.look();
    }
    assert_eq!((told(&kms).left, told(&kms).reason), (0, None));
    assert_eq!(rig.joined(&rig.objects(), Direction::ToService), sent);
}

// Mutation: one that is refused ends the whole side-car, or is asked for again and again.
#[test]
fn a_data_key_that_does_not_move_keeps_no_other_from_it() {
    let (rig, mut flow, _sent) = archived();
    // Two more data keys in the segment that is written.
    rig.keys.renew();
    flow.taps.to_service.record(&message(5));
    rig.flush();
    rig.running().segments().end_open();
    rig.flush();
    rig.keys.rotate();
    let kms = kms(&rig);
    let path = rig.path().join(side_car_name(4));
    let Found::Whole(side_car) = side_car::read(&path).unwrap() else {
        panic!("it was just written");
    };
    assert_eq!(side_car.keys.len(), 2);
    {
        let mut script = kms.script();
        script.jobs = vec![job(3, 1_000)];
        script.unwilling = vec![side_car.keys[0].data_key_id];
    }
    let mut work = work(rig.running().segments(), &kms);
    work.patience.again = Duration::from_secs(3_600);
    for _ in 0..4 {
        work.look();
    }
    let stands = told(&kms);
    assert_eq!((stands.left, stands.failed), (1, 1));
    assert_eq!(stands.reason, Some(Reason::OpenFailed));
    let Found::Whole(after) = side_car::read(&path).unwrap() else {
        panic!("it was replaced as a whole");
    };
    assert_eq!(after.keys[0], side_car.keys[0], "nothing is lost");
    assert_ne!(after.keys[1], side_car.keys[1]);
    assert_eq!(after.keys[1].data_key_id, side_car.keys[1].data_key_id);
    assert_eq!(kms.script().moved, 4);
}

// Mutation: without the look at what was moved before it takes the place of the former.
#[test]
fn what_the_kms_does_not_confirm_takes_no_place() {
    let (rig, _flow, sent) = archived();
    let kms = kms(&rig);
    {
        let mut script = kms.script();
        (script.jobs, script.denies_moved) = (vec![job(2, 1_000)], true);
    }
    let before: Vec<_> = (1..=3).map(|sequence| counted(&rig, sequence)).collect();
    let mut work = work(rig.running().segments(), &kms);
    work.patience.blocked = Duration::from_secs(3_600);
    for _ in 0..3 {
        work.look();
    }
    let after: Vec<_> = (1..=3).map(|sequence| counted(&rig, sequence)).collect();
    assert_eq!(before, after);
    assert_eq!(told(&kms).reason, Some(Reason::OpenFailed));
    assert_eq!(rig.joined(&rig.objects(), Direction::ToService), sent);
}

#[test]
fn a_side_car_that_is_damaged_is_told_and_counted_again_once_it_is_restored() {
    let (rig, _flow, _sent) = archived();
    let path = rig.path().join(side_car_name(2));
    let whole = fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[40] ^= 1;
    let kms = kms(&rig);
    kms.script().jobs = vec![job(2, 1_000)];
    let mut work = work(rig.running().segments(), &kms);
    for (bytes, found) in [(Some(&damaged), 1), (None, 1), (Some(&whole), 0)] {
        match bytes {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        for _ in 0..3 {
            work.look();
        }
        assert_eq!(kms.script().reports.last().unwrap().damaged, found);
        let versions = if found == 0 { 4 } else { 3 };
        assert_eq!(census(&kms), [(2, versions)]);
    }
}

#[test]
fn a_segment_that_is_taken_away_is_not_counted_any_more() {
    let (rig, _flow, _sent) = archived();
    let kms = kms(&rig);
    let mut work = work(rig.running().segments(), &kms);
    work.look();
    assert_eq!(census(&kms), [(1, 3), (2, 1)]);
    for name in [side_car_name(1), envelope::segment::segment_name(1)] {
        fs::remove_file(rig.path().join(name)).unwrap();
    }
    work.look();
    assert_eq!(census(&kms), [(1, 2), (2, 1)]);
}
