//! Data keys move, and nothing else changes.

use envelope::context::EncryptionContext;
use envelope::secret::SecretKey;
use kms_client::archive::{DataKeySource, Direction, Filter};

use super::*;
use crate::archive::tests::rig::{block_on, until};

// Mutation: side-cars of segments that are still written are replaced too, and written over later.
#[test]
fn everything_moves_also_what_lies_in_the_segment_that_is_written() {
    let (rig, mut flow, mut sent) = archived();
    // Version 3 is the newest by now; what is open lies under 2.
    let kms = kms(&rig);
    kms.script().jobs = vec![job(3, 1_000)];
    let mut work = work(rig.running().segments(), &kms);
    work.look();
    assert_eq!(census(&kms), [(1, 3), (2, 1)]);
    rig.keys.rotate();
    until("nothing is left", || {
        rig.flush();
        work.look();
        let told = told(&kms);
        (told.left == 0 && !told.leased).then_some(())
    });
    assert_eq!(census(&kms), [(3, 4)]);
    for sequence in 1..=4 {
        let counts: Vec<_> = counted(&rig, sequence).into_iter().collect();
        assert_eq!(counts, [((KEY, KeyVersion(3)), 1)], "{sequence}");
    }
    rig.keys.disable_below(3);
    // The archive goes on, in another segment.
    flow.taps.to_service.record(&message(9));
    sent.extend(message(9));
    rig.close(flow);
    rig.flush();
    assert_eq!(rig.joined(&rig.objects(), Direction::ToService), sent);
    assert!(rig.reader().verify_structure().unwrap().is_sound());
    let moved = kms.script().moved;
    work.look();
    assert_eq!(
        kms.script().moved,
        moved,
        "what is there already is skipped"
    );
}

#[test]
fn a_gateway_that_starts_again_goes_on_where_it_stopped() {
    let (rig, _flow, _sent) = archived();
    let kms = kms(&rig);
    kms.script().jobs = vec![job(2, 1_000)];
    // The thread ends after each side-car.
    for moved in 1..=3 {
        kms.script().stop_after = Some(moved);
        work(rig.running().segments(), &kms).look();
        assert_eq!(kms.script().moved, moved);
    }
    kms.script().stop_after = None;
    let mut last = work(rig.running().segments(), &kms);
    last.look();
    last.look();
    assert_eq!((told(&kms).left, kms.script().moved), (0, 3), "each once");
}

// Mutation: without the pause behind each request.
#[test]
fn no_more_is_moved_a_second_than_was_asked_for() {
    let (rig, _flow, _sent) = archived();
    let kms = kms(&rig);
    kms.script().jobs = vec![job(2, 2)];
    let mut work = work(rig.running().segments(), &kms);
    for _ in 0..3 {
        work.look();
    }
    let script = kms.script();
    assert_eq!(script.moved, 3);
    // Three data keys at two a second, less the moment that each request took.
    let waited = script.paused;
    assert!(waited > Duration::from_millis(1_200), "{waited:?}");
    assert!(waited <= Duration::from_millis(1_500), "{waited:?}");
}

#[test]
fn a_job_is_not_done_while_objects_may_begin_under_an_older_version() {
    let (rig, _flow, _sent) = archived();
    let kms = kms(&rig);
    {
        let mut script = kms.script();
        (script.jobs, script.holds_older) = (vec![job(2, 1_000)], true);
    }
    let mut work = work(rig.running().segments(), &kms);
    for _ in 0..4 {
        work.look();
    }
    assert_eq!((told(&kms).left, told(&kms).leased), (0, true));
    kms.script().holds_older = false;
    work.patience.settle = Duration::from_secs(3_600);
    work.look();
    assert!(
        told(&kms).leased,
        "what began under the lease may not be written yet"
    );
    work.patience.settle = Duration::ZERO;
    work.look();
    assert!(!told(&kms).leased);
}

/// A KMS at which the data keys are moved, and the old version is disabled, while it is asked.
struct Racing {
    keys: Arc<TestKeys>,
    first: Mutex<Option<Work<TestKms>>>,
}

impl DataKeySource for Racing {
    async fn unwrap_data_key(
        &self,
        wrapped: &[u8],
        context: &EncryptionContext,
    ) -> kms_client::Result<SecretKey> {
        if let Some(mut work) = self.first.lock().unwrap().take() {
            for _ in 0..3 {
                work.look();
            }
            self.keys.disable_below(2);
        }
        DataKeySource::unwrap_data_key(&*self.keys, wrapped, context).await
    }
}

fn racing(rig: &Rig) -> Racing {
    let kms = kms(rig);
    kms.script().jobs = vec![job(2, 1_000)];
    Racing {
        keys: rig.keys.clone(),
        first: Mutex::new(Some(work(rig.running().segments(), &kms))),
    }
}

// Mutation: a reader that does not look again at a side-car that it has at hand.
#[test]
fn a_reader_goes_on_when_what_it_has_read_is_moved_and_the_old_version_disabled() {
    let (rig, _flow, _sent) = archived();
    let first = &rig.objects()[0];
    let mut out = Vec::new();
    block_on(rig.reader().get(first.object_id, &racing(&rig), &mut out)).unwrap();
    assert_eq!(out, message(0));

    let (rig, _flow, _sent) = archived();
    let checked = block_on(rig.reader().verify(Filter::default(), &racing(&rig)));
    let report = checked.unwrap();
    assert_eq!((report.opened, report.withheld), (4, 0), "{report:?}");
}
