//! Opening what is no archive, or one that this version cannot read. Objects are tested where they
//! are written, in the gateway.

use std::fs;
use std::path::Path;

use envelope::id::{FlowId, SegmentId};
use envelope::segment::{
    Entry, Gap, GapCause, Range, SegmentHeader, append, segment_name, side_car_name,
};

use super::walk::Walk;
use super::{Archive, Filter, GapInfo};
use crate::reason::Reason;

fn gap(number: u64) -> GapInfo {
    let gap = Gap {
        cause: GapCause::QueueFull,
        from_ms: number,
        to_ms: number,
        ranges: [Range::EMPTY; 2],
        flows: 0,
        device: "mon-1".into(),
    };
    GapInfo {
        flow: FlowId::from_bytes([1; 16]),
        gap,
    }
}

/// A segment with these gaps.
fn segment(gaps: &[GapInfo]) -> Vec<u8> {
    let header = SegmentHeader {
        segment_id: SegmentId::random(),
        created_ms: 1,
    };
    let mut bytes = header.encode().to_vec();
    for info in gaps {
        append(&mut bytes, &Entry::Gap(info.flow, info.gap.clone()));
    }
    bytes
}

#[test]
fn a_folder_that_is_no_data_directory_is_refused_and_one_without_objects_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    let refused = Archive::open(dir.path().join("none")).unwrap_err();
    assert_eq!(refused.reason(), Reason::NotInitialised);
    let file = dir.path().join("notes.seg");
    fs::write(&file, b"no segment").unwrap();
    for foreign in [dir.path(), &file] {
        let foreign = Archive::open(foreign).unwrap_err();
        assert_eq!(
            foreign.reason(),
            Reason::NotInitialised,
            "no data directory"
        );
    }
    fs::create_dir(dir.path().join("seal")).unwrap();
    let archive = Archive::open(dir.path()).unwrap();
    assert_eq!(archive.list(Filter::default()).unwrap().count(), 0);
    assert!(archive.verify_structure().unwrap().is_sound());
}

#[test]
fn a_segment_that_is_cut_or_missing_before_others_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    for number in 1..=3 {
        let path = dir.path().join(segment_name(number));
        fs::write(path, segment(&[gap(1), gap(2)])).unwrap();
    }
    let archive = Archive::open(dir.path()).unwrap();
    assert!(archive.verify_structure().unwrap().is_sound());
    let second = dir.path().join(segment_name(2));
    let whole = fs::read(&second).unwrap();
    fs::write(&second, &whole[..whole.len() - 1]).unwrap();
    let cut = archive.verify_structure().unwrap();
    assert_eq!((cut.damaged, cut.gaps, cut.is_sound()), (1, 5, false));
    fs::remove_file(&second).unwrap();
    let missing = archive.verify_structure().unwrap();
    assert_eq!((missing.damaged, missing.gaps), (1, 4));
}

#[test]
fn the_data_directory_of_ward_up_has_its_archive_inside() {
    let dir = tempfile::tempdir().unwrap();
    let inside = dir.path().join("core").join("archive");
    fs::create_dir_all(&inside).unwrap();
    fs::write(inside.join(segment_name(1)), segment(&[gap(1)])).unwrap();
    assert_eq!(
        Archive::open(dir.path()).unwrap().gaps().unwrap().count(),
        1
    );
}

/// The first entry of segment 1, and a walk from there.
fn walk_from_first(dir: &Path) -> Walk {
    let place = Walk::new(dir).unwrap().step().unwrap().unwrap();
    let mut walk = Walk::from(dir, place).unwrap();
    assert_eq!(walk.step().unwrap(), Some(place));
    walk
}

#[test]
fn a_walk_from_a_place_lists_the_folder_only_when_it_leaves_the_segment() {
    let dir = tempfile::tempdir().unwrap();
    let (here, away) = (dir.path().join("here"), dir.path().join("away"));
    fs::create_dir(&here).unwrap();
    for number in 1..=2 {
        fs::write(here.join(segment_name(number)), segment(&[gap(1), gap(2)])).unwrap();
    }
    let mut walk = walk_from_first(&here);
    // A listing would still find the second segment, and a walk that had made one miss its file.
    fs::rename(&here, away).unwrap();
    assert!(walk.step().unwrap().is_some());
    assert_eq!(walk.step().unwrap(), None);
}

#[test]
fn a_walk_goes_on_in_what_was_written_since_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(segment_name(1));
    fs::write(&path, segment(&[gap(1)])).unwrap();
    let mut walk = walk_from_first(dir.path());
    // The segment grows and is full before the walk has looked behind it.
    let mut grown = fs::read(&path).unwrap();
    append(&mut grown, &Entry::Gap(gap(2).flow, gap(2).gap));
    fs::write(&path, grown).unwrap();
    fs::write(dir.path().join(segment_name(2)), segment(&[gap(3)])).unwrap();
    let mut seen = Vec::new();
    while let Some(place) = walk.step().unwrap() {
        let Entry::Gap(_, gap) = walk.entry() else {
            panic!("only gaps were written");
        };
        seen.push((place.sequence, gap.from_ms));
    }
    assert_eq!(seen, [(1, 2), (2, 3)]);
}

#[test]
fn a_segment_of_a_newer_version_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = segment(&[gap(1)]);
    bytes[4] = 2;
    fs::write(dir.path().join(segment_name(1)), bytes).unwrap();
    let archive = Archive::open(dir.path()).unwrap();
    let error = archive
        .list(Filter::default())
        .unwrap()
        .next()
        .unwrap()
        .unwrap_err();
    assert_eq!(error.reason(), Reason::VersionNewer);
}

#[test]
fn an_error_does_not_end_the_walk() {
    let dir = tempfile::tempdir().unwrap();
    let mut damaged = segment(&[gap(1), gap(2), gap(3)]);
    let entry = (damaged.len() - 32) / 3;
    damaged[32 + entry + 30] ^= 1;
    fs::write(dir.path().join(segment_name(1)), damaged).unwrap();
    fs::write(
        dir.path().join(segment_name(2)),
        b"no segment at all, but long enough for one",
    )
    .unwrap();
    fs::write(dir.path().join(segment_name(3)), segment(&[gap(4)])).unwrap();
    fs::write(dir.path().join(side_car_name(3)), b"not looked at").unwrap();
    let found: Vec<_> = Archive::open(dir.path()).unwrap().gaps().unwrap().collect();
    let (gaps, errors): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    let gaps: Vec<_> = gaps.into_iter().map(Result::unwrap).collect();
    assert_eq!(gaps, [gap(1), gap(3), gap(4)]);
    assert_eq!(errors.len(), 2);
}

#[test]
fn an_entry_that_is_being_written_is_not_there_yet() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(segment_name(1));
    let whole = segment(&[gap(1), gap(2)]);
    let first_end = segment(&[gap(1)]).len();
    fs::write(&path, &whole).unwrap();
    let archive = Archive::open(dir.path()).unwrap();
    for length in first_end..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let gaps: Vec<_> = archive.gaps().unwrap().map(Result::unwrap).collect();
        assert_eq!(gaps, [gap(1)], "cut at {length}");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(archive.gaps().unwrap().count(), 2);
}
