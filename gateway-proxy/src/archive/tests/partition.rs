//! The objects of a direction are its bytes, exactly.

use std::time::Duration;

use kms_client::archive::Direction;
use proptest::prelude::*;

use super::Rig;
use super::rig::{block_on, message, until};
use crate::ids::Protocol;
use crate::observe::dicom_tests::{associate, store};

#[test]
fn each_message_is_one_object() {
    let rig = Rig::start();
    let mut flow = rig.open(Protocol::Hl7);
    for number in 0..100 {
        flow.taps.to_service.record(&message(number));
        flow.taps.to_device.record(b"\x0bMSA|AA\r\x1c\r");
    }
    rig.close(flow);
    rig.flush();
    let objects = rig.objects();
    let sent: Vec<_> = objects
        .iter()
        .filter(|o| o.direction == Direction::ToService)
        .collect();
    assert_eq!((objects.len(), sent.len()), (200, 100));
    for (number, object) in sent.iter().enumerate() {
        assert_eq!(rig.get(object).unwrap(), message(number));
        assert_eq!(object.bytes, message(number).len() as u64);
        assert!(object.complete && !object.truncated);
        assert_eq!(
            (object.device.as_str(), object.protocol.as_str()),
            ("mon-1", "hl7")
        );
        assert_eq!(object.key_version.unwrap().0, 1);
    }
    assert!(
        objects.is_sorted_by_key(|object| object.time.clone()),
        "oldest first"
    );
    assert!(rig.gaps().is_empty());
    assert!(rig.reader().verify_structure().unwrap().is_sound());
}

#[test]
fn a_message_that_ends_late_is_listed_where_it_began() {
    let rig = Rig::start();
    let (mut slow, mut quick) = (rig.open(Protocol::Hl7), rig.open(Protocol::Hl7));
    let (first, rest) = (message(1), message(2));
    slow.taps.to_service.record(&first[..10]);
    quick.taps.to_service.record(&rest);
    slow.taps.to_service.record(&first[10..]);
    rig.close(quick);
    rig.close(slow);
    rig.flush();
    let listed: Vec<_> = rig
        .objects()
        .iter()
        .map(|object| rig.get(object).unwrap())
        .collect();
    assert_eq!(listed, [first, rest]);
}

#[test]
fn an_object_is_listed_within_a_second_after_its_last_byte() {
    let rig = Rig::start();
    let mut flow = rig.open(Protocol::Tcp);
    for _ in 0..3 {
        let listed = rig.objects().len();
        flow.taps.to_service.record(b"some bytes, then silence");
        let begun = sys::clock::monotonic();
        until("the object", || {
            (rig.objects().len() > listed).then_some(())
        });
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
    let mut flow = rig.open(Protocol::Hl7);
    flow.taps.to_service.record(&message(1));
    until("the message, while its flow is open", || {
        (rig.objects().len() > 3).then_some(())
    });
}

#[test]
fn the_tail_of_a_flow_is_an_object_that_is_not_complete() {
    let rig = Rig::start();
    let mut flow = rig.open(Protocol::Hl7);
    flow.taps.to_service.record(&message(1));
    flow.taps.to_service.record(b"\x0bMSH|half");
    rig.close(flow);
    rig.flush();
    let objects = rig.objects();
    let complete: Vec<_> = objects.iter().map(|object| object.complete).collect();
    assert_eq!(complete, [true, false]);
    assert_eq!(rig.get(&objects[1]).unwrap(), b"\x0bMSH|half");
}

#[test]
fn a_message_of_64_mib_is_one_object_and_is_never_held_whole() {
    let rig = Rig::start_with(|settings| settings.segment_bytes = 8 << 20);
    let mut flow = rig.open(Protocol::Hl7);
    let piece = vec![b'x'; 1 << 20];
    flow.taps.to_service.record(b"\x0b");
    for _ in 0..64 {
        flow.taps.to_service.record(&piece);
        // The queue is bounded below the message; flushing shows that nothing piles up behind it.
        rig.flush();
    }
    flow.taps.to_service.record(b"\x1c\r");
    rig.close(flow);
    rig.flush();
    let objects = rig.objects();
    assert_eq!(objects.len(), 1);
    assert_eq!(
        (objects[0].bytes, objects[0].complete),
        ((64 << 20) + 3, true)
    );
    assert!(rig.gaps().is_empty());
    let segments = std::fs::read_dir(rig.path()).unwrap().count();
    assert!(
        segments > 8,
        "the message goes on from segment to segment: {segments} files"
    );
    let whole = rig.get(&objects[0]).unwrap();
    assert!(whole[1..whole.len() - 2].iter().all(|byte| *byte == b'x'));
    let mut part = Vec::new();
    let range = (64 << 20) - 5..u64::MAX;
    let read = rig
        .reader()
        .get_range(objects[0].object_id, range, &*rig.keys, &mut part)
        .await_now();
    assert_eq!((read.unwrap(), part.as_slice()), (8, &b"xxxxxx\x1c\r"[..]));
}

trait AwaitNow: Future + Sized {
    fn await_now(self) -> Self::Output {
        block_on(self)
    }
}

impl<F: Future> AwaitNow for F {}

/// Streams with frames, long stretches, and noise.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => (0_usize..1_000).prop_map(message),
        1 => (1_usize..40_000).prop_map(|length| vec![b'y'; length]),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => Just(vec![0x0b]),
        1 => Just(associate(1, 3)),
        1 => (1_usize..40_000).prop_map(|length| store(&vec![b'i'; length], 16_000)),
    ];
    proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn objects_joined_are_the_stream(
        sent in stream(),
        answered in stream(),
        sizes in proptest::collection::vec(1_usize..20_000, 1..8),
        protocol in prop::sample::select(vec![Protocol::Hl7, Protocol::Dicom, Protocol::Tcp]),
        segment_bytes in 1_000_u64..200_000,
    ) {
        let rig = Rig::start_with(|settings| settings.segment_bytes = segment_bytes);
        let mut flow = rig.open(protocol);
        for (tap, stream) in
            [(&mut flow.taps.to_service, &sent), (&mut flow.taps.to_device, &answered)]
        {
            let mut rest = stream.as_slice();
            for size in sizes.iter().cycle() {
                let (piece, later) = rest.split_at((*size).min(rest.len()));
                tap.record(piece);
                rest = later;
                if rest.is_empty() {
                    break;
                }
                if size % 3 == 0 {
                    rig.flush();
                }
            }
        }
        rig.close(flow);
        rig.flush();
        let objects = rig.objects();
        prop_assert_eq!(rig.joined(&objects, Direction::ToService), sent);
        prop_assert_eq!(rig.joined(&objects, Direction::ToDevice), answered);
        prop_assert!(rig.gaps().is_empty());
        let structure = rig.reader().verify_structure().unwrap();
        prop_assert!(structure.is_sound() && structure.open == 0, "{:?}", structure);
        let report = block_on(rig.reader().verify(Default::default(), &*rig.keys)).unwrap();
        prop_assert_eq!((report.opened, report.failed), (objects.len() as u64, 0));
    }
}
