//! What the reader says of an archive that lost something, and what it still opens.

use std::path::Path;

use envelope::segment::Entry;
use kms_client::archive::{Filter, SegmentReader, Step};

use super::Rig;
use super::rig::{block_on, message};
use crate::ids::Protocol;

const SEGMENT: &str = "0000000000000001.seg";
const SIDE_CAR: &str = "0000000000000001.keys";

/// An archive of three messages in one flow.
fn three_messages() -> Rig {
    let mut rig = Rig::start();
    let mut flow = rig.open(Protocol::Hl7);
    for number in 0..3 {
        flow.taps.to_service.record(&message(number));
        rig.flush();
    }
    rig.close(flow);
    rig.flush();
    rig.stop();
    rig
}

/// Where the fragments of a segment begin and end.
fn fragments(path: &Path) -> Vec<std::ops::Range<usize>> {
    let mut reader = SegmentReader::open(path).unwrap();
    let (mut found, mut begun) = (Vec::new(), None);
    loop {
        let step = reader.step().unwrap();
        let (Step::Entry(at) | Step::Damaged(at) | Step::End(at)) = step;
        let at = usize::try_from(at).unwrap();
        found.extend(begun.take().map(|begun| begun..at));
        match step {
            Step::Entry(_) => {
                begun = matches!(reader.entry(), Entry::Fragment(_)).then_some(at);
            }
            Step::Damaged(_) => {}
            Step::End(_) => return found,
        }
    }
}

#[test]
fn a_lost_object_is_found_although_every_checksum_fits() {
    let rig = three_messages();
    assert!(rig.reader().verify_structure().unwrap().is_sound());
    let path = rig.path().join(SEGMENT);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.drain(fragments(&path)[1].clone());
    std::fs::write(&path, &bytes).unwrap();
    let found = rig.reader().verify_structure().unwrap();
    assert_eq!((found.damaged, found.orphans, found.objects), (0, 0, 2));
    assert_eq!((found.uncovered, found.is_sound()), (1, false), "{found:?}");
}

#[test]
fn without_a_side_car_objects_are_listed_and_the_error_is_told_once() {
    let rig = three_messages();
    std::fs::remove_file(rig.path().join(SIDE_CAR)).unwrap();
    let listed: Vec<_> = rig.reader().list(Filter::default()).unwrap().collect();
    let (objects, errors): (Vec<_>, Vec<_>) = listed.into_iter().partition(Result::is_ok);
    assert_eq!((objects.len(), errors.len()), (3, 1));
    assert!(
        objects
            .iter()
            .all(|object| object.as_ref().unwrap().key_version.is_none())
    );
}

#[test]
fn damage_between_the_fragments_of_an_object_does_not_keep_it_closed() {
    let mut rig = Rig::start();
    let (mut long, mut other) = (rig.open(Protocol::Hl7), rig.open(Protocol::Hl7));
    let body = [&b"\x0b"[..], &[b'x'; 40_000], b"\x1c\r"].concat();
    long.taps.to_service.record(&body[..30_000]);
    rig.flush();
    other.taps.to_service.record(&message(1));
    rig.flush();
    long.taps.to_service.record(&body[30_000..]);
    rig.close(long);
    rig.close(other);
    rig.flush();
    rig.stop();
    let objects = rig.objects();
    let path = rig.path().join(SEGMENT);
    let mut bytes = std::fs::read(&path).unwrap();
    // The other flow's message is the last but one fragment; its flags are checked first.
    let fragments = fragments(&path);
    bytes[fragments[fragments.len() - 2].start + 1] = 0xff;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(rig.get(&objects[0]).unwrap(), body);
    assert!(rig.get(&objects[1]).is_err());
}

#[test]
fn the_chunks_of_an_object_without_end_are_checked_too() {
    let mut rig = Rig::start();
    let mut flow = rig.open(Protocol::Hl7);
    flow.taps.to_service.record(b"\x0b");
    flow.taps.to_service.record(&[b'x'; 40_000]);
    rig.flush();
    rig.cut_power();
    rig.restart();
    rig.flush();
    rig.stop();
    let verify = || block_on(rig.reader().verify(Filter::default(), &*rig.keys)).unwrap();
    let report = verify();
    assert_eq!((report.truncated, report.failed), (1, 0));
    let path = rig.path().join(SEGMENT);
    let mut bytes = std::fs::read(&path).unwrap();
    let last = fragments(&path).pop().unwrap();
    bytes[last.end - 10] ^= 1;
    let sum = envelope::segment::checksum(&bytes[last.start..last.end - 4]);
    bytes[last.end - 4..last.end].copy_from_slice(&sum.to_be_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let report = verify();
    assert_eq!((report.truncated, report.failed), (0, 1));
}
