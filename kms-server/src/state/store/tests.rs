//! What the store promises: a snapshot and what it answers are the state, wherever a process ended.

use std::path::Path;

use openraft::alias::LeaderIdOf;
use openraft::vote::RaftLeaderId;

use super::Store;
use crate::command::Write;
use crate::raft::TypeConfig;
use crate::state::{Applied, Index, NodeId, Record, RecordId};

/// Where the entry at `index` leaves the log.
fn at(index: u64) -> Applied {
    let leader_id = LeaderIdOf::<TypeConfig>::new(1, NodeId(1)).to_committed();
    Applied {
        log_id: (index > 0).then_some(openraft::alias::LogIdOf::<TypeConfig> { leader_id, index }),
        ..Applied::default()
    }
}

fn put(id: u8, value: u64) -> Write {
    let id = RecordId::Acknowledgement(id.to_string(), String::new());
    (id, Some(Record::Acknowledgement(value)))
}

fn removed(id: u8) -> Write {
    (put(id, 0).0, None)
}

fn apply(store: &mut Store, index: u64, writes: &[Write]) {
    let mut changes = store.begin();
    changes.add(writes, at(index));
    changes.commit();
}

/// What is there over a snapshot of `snapshot`, taken at `index`.
fn state(dir: &Path, index: u64, snapshot: &[Write]) -> (u64, Vec<Write>) {
    let (store, changed) = Store::open(dir, &at(index)).unwrap();
    let mut state = Index::default();
    state.put_all(snapshot.to_vec());
    state.put_all(changed);
    let records = state.range_after(None);
    let records = records.map(|(id, record)| (id.clone(), Some(record.clone())));
    (store.applied().index(), records.collect())
}

#[test]
fn the_newest_change_counts_and_a_removal_stays() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, none) = Store::open(dir.path(), &at(0)).unwrap();
    assert!(none.is_empty());
    apply(&mut store, 1, &[put(1, 1), put(2, 1), put(1, 2)]);
    apply(&mut store, 2, &[removed(2), put(3, 2)]);
    store.pin();
    apply(&mut store, 3, &[put(3, 3), put(4, 3), removed(4)]);
    drop(store);
    let whole = (3, vec![put(1, 2), put(3, 3)]);
    assert_eq!(state(dir.path(), 0, &[]), whole);
    // Opening begins a generation; as many as there are, the state is the same.
    assert_eq!(state(dir.path(), 0, &[]), whole);
}

/// The snapshot at 2 is on its shelf, and the process ends before, between and after the steps.
#[test]
fn a_snapshot_and_the_changes_since_are_the_state_at_each_step() {
    let snapshot = [put(1, 1), put(2, 1)];
    for steps in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(dir.path(), &at(0)).unwrap();
        apply(&mut store, 1, &[put(1, 1), put(5, 1)]);
        apply(&mut store, 2, &[put(2, 1), removed(5)]);
        if steps > 0 {
            store.pin();
        }
        apply(&mut store, 3, &[removed(2), put(3, 3)]);
        // The next snapshot begins before this one is on its shelf.
        store.pin();
        apply(&mut store, 4, &[put(1, 4)]);
        if steps > 1 {
            let shed = store.shed(at(2).log_id);
            if steps > 2 {
                shed.drop_trees();
            }
        }
        apply(&mut store, 5, &[put(6, 5)]);
        drop(store);
        let whole = (5, vec![put(1, 4), put(3, 3), put(6, 5)]);
        assert_eq!(state(dir.path(), 2, &snapshot), whole, "{steps} steps");
    }
}

#[test]
fn a_snapshot_of_all_leaves_nothing_to_be_added() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path(), &at(0)).unwrap();
    apply(&mut store, 1, &[put(1, 1)]);
    let shed = store.shed(at(1).log_id);
    shed.drop_trees();
    apply(&mut store, 2, &[put(2, 2)]);
    assert_eq!(store.db.tree_names().len(), 2, "sled's own, and one");
    drop(store);
    assert_eq!(
        state(dir.path(), 1, &[put(1, 1)]),
        (2, vec![put(1, 1), put(2, 2)])
    );
}

/// One that was installed is ahead of what is here; the process ends before or after that is gone.
#[test]
fn an_installed_snapshot_replaces_everything() {
    for restarted in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(dir.path(), &at(0)).unwrap();
        apply(&mut store, 1, &[put(1, 1)]);
        store.pin();
        apply(&mut store, 2, &[put(2, 2)]);
        if restarted {
            store.restart(at(9)).drop_trees();
            assert_eq!(store.applied().index(), 9);
        }
        drop(store);
        assert_eq!(state(dir.path(), 9, &[put(7, 7)]), (9, vec![put(7, 7)]));
        let (mut store, _) = Store::open(dir.path(), &at(9)).unwrap();
        apply(&mut store, 10, &[put(8, 8)]);
        drop(store);
        let whole = (10, vec![put(7, 7), put(8, 8)]);
        assert_eq!(state(dir.path(), 9, &[put(7, 7)]), whole);
    }
}

#[test]
fn changes_that_do_not_follow_are_doubted() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path(), &at(0)).unwrap();
    for index in 1..4 {
        apply(&mut store, index, &[put(1, index)]);
        store.pin();
    }
    store.db.drop_tree(super::name(2)).unwrap();
    drop(store);
    Store::open(dir.path(), &at(0)).unwrap_err();
    // Where a snapshot has what is missing, nothing is.
    assert_eq!(state(dir.path(), 2, &[put(1, 2)]), (3, vec![put(1, 3)]));

    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path(), &at(5)).unwrap();
    apply(&mut store, 6, &[put(1, 6)]);
    drop(store);
    // The snapshot that it began with is gone.
    Store::open(dir.path(), &at(4)).unwrap_err();
}

/// sled fails before any of the steps, with a snapshot at 2; what is there then is a beginning of
/// the state, and the log adds the rest.
#[test]
fn a_store_that_is_given_up_leaves_what_a_start_can_go_on_from() {
    let entries = [
        vec![put(1, 1), put(5, 1)],
        vec![put(2, 1), removed(5)],
        vec![removed(2), put(3, 3)],
        vec![put(1, 4)],
        vec![put(6, 5)],
    ];
    let whole = (5, vec![put(1, 4), put(3, 3), put(6, 5)]);
    let snapshot = [put(1, 1), put(2, 1)];
    for fails_at in 1..=6 {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _) = Store::open(dir.path(), &at(0)).unwrap();
        for (index, writes) in (1..).zip(&entries) {
            store.is_given_up |= index == fails_at;
            apply(&mut store, index, writes);
            match index {
                2 | 3 => drop(store.pin()),
                4 => store.shed(at(2).log_id).drop_trees(),
                _ => {}
            }
        }
        assert_eq!(store.applied().index(), 5, "it is applied all the same");
        drop(store);
        let (mut store, _) = Store::open(dir.path(), &at(2)).unwrap();
        let applied = store.applied().index();
        assert_eq!(
            applied,
            (fails_at - 1).clamp(2, 5),
            "given up at {fails_at}"
        );
        for (index, writes) in (1..).zip(&entries).skip(usize::try_from(applied).unwrap()) {
            apply(&mut store, index, writes);
        }
        drop(store);
        assert_eq!(
            state(dir.path(), 2, &snapshot),
            whole,
            "given up at {fails_at}"
        );
    }
}

#[test]
fn a_store_that_is_given_up_goes_when_a_snapshot_is_installed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(dir.path(), &at(0)).unwrap();
    apply(&mut store, 1, &[put(1, 1)]);
    store.is_given_up = true;
    store.restart(at(9)).drop_trees();
    apply(&mut store, 10, &[put(8, 8)]);
    assert_eq!(store.applied().index(), 10);
    drop(store);
    assert_eq!(state(dir.path(), 9, &[put(7, 7)]), (9, vec![put(7, 7)]));
}
