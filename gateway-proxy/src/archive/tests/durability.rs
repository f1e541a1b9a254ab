//! What a power cut, a full disk and a restart leave.

use std::time::Duration;

use envelope::id::FlowId;
use envelope::segment::{GapCause, UNKNOWN_OFFSET};
use kms_client::archive::{Direction, SegmentReader, Step};
use kms_client::reason::Reason;

use super::Rig;
use super::rig::{copy_dir, message, until};
use crate::archive::{Archive, StartError, recovery};
use crate::ids::Protocol;

#[test]
fn after_a_power_cut_everything_committed_is_there_and_open_flows_have_a_gap() {
    let mut rig = Rig::start();
    let mut flow = rig.open(Protocol::Hl7);
    let closed = rig.open(Protocol::Hl7);
    rig.close(closed);
    for number in 0..10 {
        flow.taps.to_service.record(&message(number));
    }
    rig.flush();
    rig.cut_power();
    assert_eq!(
        rig.objects().len(),
        10,
        "readable before anything is recovered"
    );
    rig.restart();
    rig.flush();
    let gaps = rig.flow_gaps();
    assert_eq!(gaps.len(), 1, "one flow was open");
    assert_eq!(
        (gaps[0].flow, gaps[0].gap.cause),
        (flow.info.flow, GapCause::UncleanStop)
    );
    let sent: Vec<u8> = (0..10).flat_map(message).collect();
    assert_eq!(rig.joined(&rig.objects(), Direction::ToService), sent);
    let ranges = gaps[0].gap.ranges;
    assert_eq!(
        (ranges[0].from, ranges[0].to),
        (sent.len() as u64, UNKNOWN_OFFSET)
    );
    assert!(gaps[0].gap.from_ms > 0 && gaps[0].gap.from_ms <= gaps[0].gap.to_ms);
    rig.restart();
    rig.flush();
    assert_eq!(rig.flow_gaps().len(), 1, "recovered once");
}

#[test]
fn after_an_unclean_stop_flows_that_left_no_entry_are_a_gap_of_no_device() {
    let mut rig = Rig::start();
    rig.flush();
    let begun = sys::clock::wall_ms();
    let mut flow = rig.open(Protocol::Hl7);
    flow.taps.to_service.record(&message(1));
    rig.cut_power();
    rig.restart();
    rig.flush();
    let unknown = FlowId::from_bytes([0; 16]);
    let gaps = rig.gaps();
    let gap = gaps.iter().find(|gap| gap.flow == unknown);
    let gap = &gap.expect("a gap of no flow").gap;
    assert_eq!(
        (gap.cause, gap.device.as_str()),
        (GapCause::UncleanStop, "")
    );
    assert!(gap.to_ms >= begun && gap.from_ms <= gap.to_ms);
    let before = rig.gaps().len();
    rig.restart();
    rig.flush();
    assert_eq!(rig.gaps().len(), before, "a clean stop leaves no gap");
}

#[test]
fn an_unclean_stop_of_an_archive_without_a_segment_is_a_gap_too() {
    let mut rig = Rig::start();
    rig.flush();
    rig.cut_power();
    rig.restart();
    rig.flush();
    assert_eq!(rig.gaps().len(), 1);
    assert!(rig.gaps()[0].gap.from_ms > 0, "since it was started");
}

#[test]
fn a_message_cut_by_a_power_cut_is_readable_up_to_its_last_whole_chunk() {
    let mut rig = Rig::start_with(|settings| settings.segment_bytes = 30_000);
    let mut flow = rig.open(Protocol::Hl7);
    flow.taps.to_service.record(&message(1));
    flow.taps.to_service.record(b"\x0b");
    for _ in 0..5 {
        flow.taps.to_service.record(&[b'x'; 20_000]);
        rig.flush();
    }
    rig.cut_power();
    rig.restart();
    rig.flush();
    let objects = rig.objects();
    let cut = objects.last().unwrap();
    assert_eq!(
        (objects.len(), cut.bytes, cut.truncated),
        (2, 6 * 16_384, true)
    );
    assert!(!cut.complete);
    let gap = rig.flow_gaps()[0].gap.ranges[0];
    assert_eq!(
        gap.from,
        cut.offset + cut.bytes,
        "the gap begins where nothing can be read any more"
    );
    let mut out = Vec::new();
    let read = rig.reader();
    let read = read.get(cut.object_id, &*rig.keys, &mut out);
    assert_eq!(
        super::rig::block_on(read).unwrap_err().reason(),
        Reason::OpenFailed
    );
    assert_eq!(
        out.len() as u64,
        cut.bytes,
        "its true beginning was written"
    );
    let structure = rig.reader().verify_structure().unwrap();
    assert_eq!(
        (structure.truncated, structure.open, structure.is_sound()),
        (1, 0, true)
    );
}

#[test]
fn a_torn_tail_is_cut_off_and_the_rest_is_there() {
    let mut rig = Rig::start();
    let mut flow = rig.open(Protocol::Hl7);
    for number in 0..4 {
        flow.taps.to_service.record(&message(number));
        rig.flush();
    }
    rig.cut_power();
    let name = "0000000000000001.seg";
    let whole = std::fs::read(rig.path().join(name)).unwrap();
    let ends = entry_ends(&rig.path().join(name));
    let whole_objects = rig.objects().len();
    assert_eq!(whole_objects, 4);
    // The last message and its mark: every fifth byte, and each end with its neighbours.
    let from = ends[ends.len() - 3] as usize;
    let source = rig.path();
    let at_an_end = |length| ends.iter().any(|end| end.abs_diff(length as u64) <= 2);
    for length in (from..=whole.len()).filter(|at| at % 5 == 0 || at_an_end(*at)) {
        let copy = source.with_extension(format!("at-{length}"));
        copy_dir(&source, &copy);
        let mut torn = whole[..length].to_vec();
        // What a file system may leave behind the end.
        torn.extend_from_slice(&[0; 512][..length % 512]);
        std::fs::write(copy.join(name), &torn).unwrap();
        recovery::recover(&copy).unwrap();
        let kept = std::fs::metadata(copy.join(name)).unwrap().len();
        // The last bytes of an entry may be zeros themselves.
        let same = whole.iter().zip(&torn).take_while(|(a, b)| a == b).count();
        let expected = ends
            .iter()
            .copied()
            .filter(|end| *end as usize <= same)
            .max();
        assert_eq!(Some(kept), expected, "cut at {length}");
        rig.settings.dir = copy.clone();
        if length % 100 == 0 {
            rig.restart();
            rig.flush();
            rig.stop();
            assert_eq!(rig.flow_gaps().len(), 1, "cut at {length}");
        }
        let objects = rig.objects();
        assert!(objects.len() >= whole_objects - 1, "cut at {length}");
        for (number, object) in objects.iter().enumerate() {
            assert_eq!(rig.get(object).unwrap(), message(number), "cut at {length}");
        }
        assert!(
            rig.reader().verify_structure().unwrap().is_sound(),
            "cut at {length}"
        );
        std::fs::remove_dir_all(&copy).unwrap();
    }
}

/// Where the entries of a segment end.
fn entry_ends(path: &std::path::Path) -> Vec<u64> {
    let mut reader = SegmentReader::open(path).unwrap();
    let mut ends = Vec::new();
    loop {
        match reader.step().unwrap() {
            Step::Entry(at) => ends.push(at),
            Step::Damaged(at) => panic!("damaged at {at}"),
            Step::End(at) => {
                ends.push(at);
                return ends;
            }
        }
    }
}

#[test]
fn damage_before_whole_entries_is_no_torn_tail() {
    let mut rig = Rig::start();
    let mut flow = rig.open(Protocol::Hl7);
    for number in 0..3 {
        flow.taps.to_service.record(&message(number));
        rig.flush();
    }
    rig.cut_power();
    let path = rig.path().join("0000000000000001.seg");
    let mut bytes = std::fs::read(&path).unwrap();
    let marks = entry_ends(&path);
    // The last message stands before its mark and the end.
    let before_last = marks[marks.len() - 5] as usize;
    bytes[before_last + 1] = 0xff;
    std::fs::write(&path, &bytes).unwrap();
    rig.restart();
    rig.flush();
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "nothing was cut off");
    let structure = rig.reader().verify_structure().unwrap();
    assert_eq!(
        (structure.damaged, structure.objects),
        (1, 2),
        "{structure:?}"
    );
}

#[test]
fn segments_rotate_by_size_and_flows_go_on_in_the_next() {
    let mut rig = Rig::start_with(|settings| settings.segment_bytes = 2_000);
    let mut flow = rig.open(Protocol::Hl7);
    for number in 0..30 {
        flow.taps.to_service.record(&message(number));
        rig.flush();
    }
    rig.cut_power();
    let segments = std::fs::read_dir(rig.path()).unwrap();
    let segments = segments.filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|extension| extension == "seg")
    });
    assert!(segments.count() > 3);
    rig.restart();
    rig.flush();
    let gaps = rig.flow_gaps();
    let sent: Vec<u8> = (0..30).flat_map(message).collect();
    assert_eq!(
        (gaps.len(), gaps[0].gap.ranges[0].from),
        (1, sent.len() as u64)
    );
    assert_eq!(rig.joined(&rig.objects(), Direction::ToService), sent);
}

#[test]
fn a_disk_that_takes_nothing_never_blocks_and_heals() {
    let rig = Rig::start_with(|settings| settings.queue_bytes = 4_000);
    let mut flow = rig.open(Protocol::Hl7);
    flow.taps.to_service.record(&message(0));
    rig.flush();
    // The folder of the next side-car is gone: nothing under a new data key can be written.
    let aside = rig.path().with_extension("aside");
    std::fs::rename(rig.path(), &aside).unwrap();
    rig.keys.rotate();
    let begun = sys::clock::monotonic();
    for number in 1..200 {
        flow.taps.to_service.record(&message(number));
    }
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "recording waits for nobody"
    );
    // Long enough for the archive's thread to run into it; the queue is full by now.
    std::thread::park_timeout(Duration::from_millis(300));
    for number in 200..400 {
        flow.taps.to_service.record(&message(number));
    }
    std::fs::rename(&aside, rig.path()).unwrap();
    rig.flush();
    flow.taps.to_service.record(&message(400));
    rig.close(flow);
    rig.flush();
    let gaps = until("the gap", || {
        Some(rig.gaps()).filter(|gaps| !gaps.is_empty())
    });
    assert!(
        gaps.iter().any(|gap| gap.gap.cause == GapCause::Storage),
        "{gaps:?}"
    );
    let objects = rig.objects();
    let kept: u64 = objects.iter().map(|object| object.bytes).sum();
    let lost: u64 = gaps
        .iter()
        .map(|gap| gap.gap.ranges[0].to - gap.gap.ranges[0].from)
        .sum();
    let all: usize = (0..=400).map(|number| message(number).len()).sum();
    assert_eq!(kept + lost, all as u64);
    assert_eq!(rig.get(&objects[0]).unwrap(), message(0));
    assert_eq!(rig.get(objects.last().unwrap()).unwrap(), message(400));
}

#[test]
fn two_gateways_do_not_write_one_archive() {
    let rig = Rig::start();
    let second = Archive::start(rig.settings.clone(), rig.keys.clone());
    assert!(matches!(second.err(), Some(StartError::Locked(_))));
}
