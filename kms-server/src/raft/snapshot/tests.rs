//! What snapshots promise: whole or refused; the newest survives; leftovers go.

use std::io::Write;

use openraft::alias::SnapshotMetaOf;

use super::{Shelf, SnapshotWriter, read_snapshot};
use crate::raft::TypeConfig;
use crate::replica::limits::SNAPSHOT_RECORD_BYTES_MAX;
use crate::state::{Counters, FORMAT_VERSION, PolicyRecord, Record, RecordId, Sealed};

fn sample() -> Vec<u8> {
    let meta = SnapshotMetaOf::<TypeConfig>::default();
    let mut writer = SnapshotWriter::begin(Vec::new(), &meta, FORMAT_VERSION).unwrap();
    let counters = Record::Counters(Counters::default());
    writer.record(&RecordId::Counters, &counters).unwrap();
    writer
        .record(
            &RecordId::IdempotencyExpiry(5, [7; 32]),
            &Record::IdempotencyExpiry,
        )
        .unwrap();
    writer.finish().unwrap()
}

#[test]
fn what_was_written_is_read() {
    let (meta, index) = read_snapshot(sample().as_slice()).unwrap();
    assert_eq!(meta, SnapshotMetaOf::<TypeConfig>::default());
    assert_eq!(index.range_after(None).count(), 2);
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let whole = sample();
    for byte in 0..whole.len() {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[byte] ^= 1 << bit;
            assert!(read_snapshot(changed.as_slice()).is_err(), "{byte}.{bit}");
        }
        assert!(read_snapshot(&whole[..byte]).is_err(), "cut at {byte}");
    }
    let longer = [whole.as_slice(), b"x"].concat();
    assert!(read_snapshot(longer.as_slice()).is_err());
}

#[test]
fn records_out_of_order_or_twice_are_refused() {
    let written = |expiries: [u64; 2]| {
        let meta = SnapshotMetaOf::<TypeConfig>::default();
        let mut writer = SnapshotWriter::begin(Vec::new(), &meta, FORMAT_VERSION).unwrap();
        for at in expiries {
            let id = RecordId::IdempotencyExpiry(at, [7; 32]);
            writer.record(&id, &Record::IdempotencyExpiry).unwrap();
        }
        writer.finish().unwrap()
    };
    assert!(read_snapshot(written([1, 2]).as_slice()).is_ok());
    for refused in [[2, 1], [2, 2]] {
        let error = read_snapshot(written(refused).as_slice()).unwrap_err();
        assert!(error.to_string().contains("out of order"), "{error}");
    }
}

#[test]
fn a_shelf_keeps_the_newest_and_removes_leftovers() {
    let dir = tempfile::tempdir().unwrap();
    let (shelf, _) = Shelf::open(dir.path()).unwrap();
    assert!(shelf.current().is_none());
    let mut incoming = shelf.begin().unwrap();
    incoming.write_all(&sample()).unwrap();
    let file = incoming.finish().unwrap();
    shelf
        .keep(&SnapshotMetaOf::<TypeConfig>::default(), &file)
        .unwrap();
    std::fs::write(dir.path().join("9.tmp"), b"half").unwrap();

    let (again, state) = Shelf::open(dir.path()).unwrap();
    assert!(again.current().is_some());
    assert_eq!(state.unwrap().1.range_after(None).count(), 2);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn an_unfinished_file_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let (shelf, _) = Shelf::open(dir.path()).unwrap();
    let mut incoming = shelf.begin().unwrap();
    incoming.write_all(b"half").unwrap();
    drop(incoming);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

// A peer may send any number of them.
#[test]
fn a_finished_file_that_is_not_kept_goes_with_its_last_handle() {
    let dir = tempfile::tempdir().unwrap();
    let (shelf, _) = Shelf::open(dir.path()).unwrap();
    let mut incoming = shelf.begin().unwrap();
    incoming.write_all(&sample()).unwrap();
    let file = incoming.finish().unwrap();
    let other = file.clone();
    drop(file);
    other.load().unwrap();
    drop(other);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn what_no_reader_would_take_is_not_written() {
    let meta = SnapshotMetaOf::<TypeConfig>::default();
    let mut writer = SnapshotWriter::begin(Vec::new(), &meta, FORMAT_VERSION).unwrap();
    let record = Record::Policy(PolicyRecord {
        policy_id: "p".to_owned(),
        revision: 1,
        sealed: Sealed {
            revision: 1,
            record: vec![0; SNAPSHOT_RECORD_BYTES_MAX as usize],
        },
    });
    let id = RecordId::Policy("p".to_owned());
    assert!(writer.record(&id, &record).is_err());
}

#[test]
fn a_damaged_newest_snapshot_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("0000000000000001-0000000000000001.wsnp");
    std::fs::write(&path, &sample()[..20]).unwrap();
    let error = Shelf::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("0000000000000001"), "{error}");
}
