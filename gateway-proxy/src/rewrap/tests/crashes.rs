//! The work ends at any point: no wrapped data key is lost, and the next start goes on.

use std::io;

use kms_client::archive::Direction;

use super::*;
use crate::archive::tests::rig::copy_dir;
use crate::rewrap::replace::Point;

const POINTS: [Point; 4] = [Point::Written, Point::Synced, Point::Opened, Point::Renamed];

// Mutation: the former side-car is removed before the new one has its name.
#[test]
fn a_power_cut_at_any_point_loses_no_data_key() {
    for point in POINTS {
        let (mut rig, flow, sent) = archived();
        rig.close(flow);
        rig.flush();
        let kms = kms(&rig);
        kms.script().jobs = vec![job(2, 1_000)];
        let mut first = work(rig.running().segments(), &kms);
        let (from, to) = (rig.path(), rig.path().with_extension(format!("{point:?}")));
        let copy = to.clone();
        first.reached = Box::new(move |reached| {
            if reached == point && !copy.exists() {
                copy_dir(&from, &copy);
            }
            Ok(())
        });
        for _ in 0..3 {
            first.look();
        }
        rig.stop();
        rig.settings.dir = to;
        rig.restart();
        rig.flush();
        let left = std::fs::read_dir(rig.path()).unwrap();
        let unfinished = left.filter(|it| {
            let name = it.as_ref().unwrap().file_name();
            name.to_str().unwrap().starts_with('.')
        });
        assert_eq!(unfinished.count(), 0, "{point:?}: the start has removed it");
        assert_eq!(
            rig.joined(&rig.objects(), Direction::ToService),
            sent,
            "{point:?}"
        );

        let mut second = work(rig.running().segments(), &kms);
        for _ in 0..4 {
            second.look();
        }
        assert_eq!(told(&kms).left, 0, "{point:?}");
        rig.keys.disable_below(2);
        assert_eq!(
            rig.joined(&rig.objects(), Direction::ToService),
            sent,
            "{point:?}"
        );
    }
}

#[test]
fn a_disk_that_fails_at_any_point_loses_no_data_key_and_is_tried_again() {
    for (point, error, reason) in [
        (
            Point::Written,
            io::ErrorKind::StorageFull,
            Reason::StorageFull,
        ),
        (Point::Synced, io::ErrorKind::Other, Reason::Storage),
        (Point::Opened, io::ErrorKind::Other, Reason::Storage),
        (Point::Renamed, io::ErrorKind::Other, Reason::Storage),
    ] {
        let (rig, _flow, sent) = archived();
        let kms = kms(&rig);
        kms.script().jobs = vec![job(2, 1_000)];
        let mut work = work(rig.running().segments(), &kms);
        work.patience.blocked = Duration::from_secs(3_600);
        work.reached = Box::new(move |reached| match reached == point {
            true => Err(error.into()),
            false => Ok(()),
        });
        for _ in 0..3 {
            work.look();
        }
        assert_eq!(told(&kms).reason, Some(reason), "{point:?}");
        assert_eq!(
            rig.joined(&rig.objects(), Direction::ToService),
            sent,
            "{point:?}"
        );
        for job in work.jobs.values_mut() {
            job.goes_on();
        }
        work.reached = Box::new(|_| Ok(()));
        for _ in 0..4 {
            work.look();
        }
        assert_eq!((told(&kms).left, told(&kms).reason), (0, None), "{point:?}");
        rig.keys.disable_below(2);
        assert_eq!(
            rig.joined(&rig.objects(), Direction::ToService),
            sent,
            "{point:?}"
        );
    }
}
