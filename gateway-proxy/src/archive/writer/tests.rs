//! The writer on a disk that fails: nothing is lost, and nothing unsure is kept.

use std::fs;

use envelope::context::EncryptionContext;
use envelope::segment::{SideCar, segment_name, side_car_name};
use kms_client::archive::{SegmentReader, Step};

use super::*;

fn writer(dir: &Path) -> Writer {
    Writer::new(dir, 1, u64::MAX, Duration::MAX)
}

fn mark(at_ms: u64) -> Entry<'static> {
    Entry::Mark(Mark { at_ms })
}

fn key(number: u8) -> Arc<SideCarKey> {
    Arc::new(SideCarKey {
        data_key_id: DataKeyId::from_bytes([number; 16]),
        wrapped: vec![number; 136],
        context: EncryptionContext::new(),
    })
}

/// The times of a segment's marks.
fn marks(dir: &Path, sequence: u64) -> Vec<u64> {
    let mut reader = SegmentReader::open(&dir.join(segment_name(sequence))).unwrap();
    let mut marks = Vec::new();
    while let Step::Entry(_) = reader.step().unwrap() {
        if let Entry::Mark(mark) = reader.entry() {
            marks.push(mark.at_ms);
        }
    }
    marks
}

#[test]
fn after_a_failed_sync_the_segment_is_cut_and_its_entries_go_into_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = writer(dir.path());
    writer.append(&mark(1));
    writer.commit(2, Carried::default).unwrap();
    let first = dir.path().join(segment_name(1));
    let committed = fs::read(&first).unwrap();
    // What a failed commit may have left behind the last one that is sure.
    fs::write(&first, [&committed[..], b"unsure"].concat()).unwrap();
    writer.segment.as_mut().unwrap().refuse_sync();
    writer.append(&mark(3));
    writer.commit(4, Carried::default).unwrap_err();
    assert!(writer.condemned.is_some() && !writer.is_clean());
    writer.commit(5, Carried::default).unwrap();
    assert_eq!(
        fs::read(&first).unwrap(),
        committed,
        "cut at its last commit"
    );
    assert_eq!(marks(dir.path(), 1), [1, 2]);
    assert_eq!(
        marks(dir.path(), 2),
        [3, 4],
        "nothing that was let in is lost"
    );
    assert!(writer.is_clean());
}

#[test]
fn a_segment_that_cannot_be_begun_at_first_has_the_keys_of_open_objects_later() {
    let dir = tempfile::tempdir().unwrap();
    let later = dir.path().join("later");
    let mut writer = writer(&later);
    let carried = || Carried {
        flows: Vec::new(),
        keys: vec![key(1), key(1)],
    };
    writer.append(&mark(1));
    writer.commit(2, carried).unwrap_err();
    fs::create_dir(&later).unwrap();
    writer.commit(3, carried).unwrap();
    let side_car = fs::read(later.join(side_car_name(1))).unwrap();
    let side_car = SideCar::decode(&side_car).unwrap();
    assert_eq!(side_car.keys, [(*key(1)).clone()]);
}
