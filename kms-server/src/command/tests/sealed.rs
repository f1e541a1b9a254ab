//! Sealed records: kept only where they fit, and at the next revision.

use envelope::id::ClusterId;

use super::*;
use crate::command::testing::RING;
use crate::keyring::KeyRing;

fn create_with(record: Vec<u8>) -> Command {
    Command::CreateKey(CreateKey {
        key_id: key_id(1),
        name: "k".to_owned(),
        sealed: record,
    })
}

fn policy_with(expected_revision: u64, record: Vec<u8>) -> Command {
    Command::PutPolicy(PutPolicy {
        policy_id: "p".to_owned(),
        expected_revision,
        sealed: record,
    })
}

#[test]
fn a_record_of_another_place_or_cluster_and_what_is_none_are_refused() {
    let mut state = State::begun();
    let fitting = version_of("k", 1, 1);
    let foreign = KeyRing::generate(ClusterId::from_bytes([2; 16]));
    let mut cut = record(&fitting, 1);
    cut.truncate(100);
    let unfit = [
        Vec::new(),
        b"no record".to_vec(),
        cut,
        record(&version_of("k", 2, 1), 1),
        record(&version_of("k", 1, 2), 1),
        record(&version_of("other", 1, 1), 1),
        record(&Place::device("k", key_id(1)), 1),
        record(&Place::policy("k"), 1),
        foreign.seal(&fitting, 1, 1, b"secret").unwrap(),
    ];
    for record in unfit {
        state.refuse(create_with(record), Refusal::RecordUnfit);
    }
    let large = vec![0; SEALED_BYTES_MAX + 1];
    state.refuse(create_with(large), Refusal::TooLarge);
    state.run(create_with(record(&fitting, 1))).unwrap();

    let elsewhere = record(&Place::policy("q"), 1);
    state.refuse(policy_with(0, elsewhere), Refusal::RecordUnfit);
    let mut stranger = enroll("mon-1", "device/mon-1", 7);
    if let Command::EnrollDevice(command) = &mut stranger {
        command.sealed_inventory = record(&Place::device("mon-1", key_id(8)), 1);
    }
    state.refuse(stranger, Refusal::RecordUnfit);
}

#[test]
fn a_record_that_was_sealed_for_a_former_state_is_a_conflict() {
    let mut state = State::begun();
    let place = Place::policy("p");
    for revision in [0, 2, u64::MAX] {
        let stale = policy_with(0, record(&place, revision));
        state.refuse(stale, Refusal::Conflict);
    }
    state.run(policy_with(0, record(&place, 1))).unwrap();
    // Right about what it replaces, but the record is the one that stands there already.
    state.refuse(policy_with(1, record(&place, 1)), Refusal::Conflict);
    state.run(policy_with(1, record(&place, 2))).unwrap();
    let kept = &state.index.policy("p").unwrap().sealed;
    assert_eq!(kept.revision, 2);
    assert_eq!(RING.open(&place, kept).unwrap().expose(), b"revision 2");
    let later = create_with(record(&version_of("k", 1, 1), 2));
    state.refuse(later, Refusal::Conflict);
}

#[test]
fn genesis_keeps_only_what_belongs_to_its_own_cluster() {
    let refuse = |change: &dyn Fn(&mut Genesis)| {
        let mut genesis = genesis();
        change(&mut genesis);
        let begin = Command::Genesis(Box::new(genesis));
        State::empty().refuse(begin, Refusal::RecordUnfit);
    };
    refuse(&|genesis| genesis.cluster_id = ClusterId::from_bytes([2; 16]));
    refuse(&|genesis| genesis.ca_key = genesis.key_ring.clone());
    refuse(&|genesis| genesis.key_ring = genesis.ca_key.clone());
    refuse(&|genesis| genesis.seal_wraps[0].seal = "another".to_owned());
}
