//! SetKeyRotation, and what becomes of the next time when a key is rotated, disabled, enabled.

use super::*;
use crate::command::testing::{create_typed_key, public_key};
use crate::command::{RotateSigningKey, SetKeyRotation};
use crate::state::{KeyRotation, PERIOD_MAX_S, PERIOD_MIN_S};

const HOUR_S: u32 = 3_600;
const HOUR_MS: u64 = 3_600_000;

fn every(number: u64, period_s: u32, early_s: u32) -> Command {
    Command::SetKeyRotation(SetKeyRotation {
        key_id: key_id(number),
        period_s,
        early_s,
    })
}

/// The times in the index, whatever the record says.
fn awaited(state: &State) -> Vec<(u64, u64)> {
    let due = state.index.rotations_due(u64::MAX);
    let number = |id: [u8; 16]| u64::from_be_bytes(id[8..].try_into().unwrap());
    due.map(|(due_ms, id)| (due_ms, number(*id.as_bytes())))
        .collect()
}

fn due_ms(state: &State) -> Option<u64> {
    let rotation = state.index.key_rotation(&key_id(1));
    rotation.map(|rotation| rotation.due_ms)
}

fn with_one_key() -> State {
    let mut state = State::begun();
    state.run(create_key("k", 1)).unwrap();
    state
}

#[test]
fn a_period_begins_when_it_is_set_and_ends_a_little_early() {
    let mut state = State::begun();
    state.refuse(every(1, HOUR_S, 0), Refusal::KeyNotFound);
    let mut state = with_one_key();
    state.run(every(1, 10 * HOUR_S, HOUR_S)).unwrap();
    let next = START + 9 * HOUR_MS;
    let expected = KeyRotation {
        period_s: 10 * HOUR_S,
        early_s: HOUR_S,
        due_ms: next,
    };
    assert_eq!(state.index.key_rotation(&key_id(1)), Some(expected));
    assert_eq!(awaited(&state), [(next, 1)]);
    assert_eq!(state.index.rotations_due(next - 1).count(), 0);
    assert_eq!(state.index.rotations_due(next).count(), 1);

    // Set again every day, it would never come.
    state.now_ms += HOUR_MS;
    state.run(every(1, 10 * HOUR_S, 7)).unwrap();
    assert_eq!(awaited(&state), [(next, 1)]);
    assert_eq!(state.index.key(&key_id(1)).unwrap().revision, 2);

    state.run(every(1, 2 * HOUR_S, 0)).unwrap();
    assert_eq!(awaited(&state), [(START + 3 * HOUR_MS, 1)]);
    state.run(every(1, 0, 0)).unwrap();
    assert_eq!((due_ms(&state), awaited(&state)), (None, vec![]));
}

#[test]
fn periods_are_from_an_hour_to_ten_years_and_drawn_within_a_tenth() {
    let mut state = with_one_key();
    for (period_s, early_s) in [
        (1, 0),
        (PERIOD_MIN_S - 1, 0),
        (PERIOD_MAX_S + 1, 0),
        (u32::MAX, 0),
        (PERIOD_MIN_S, PERIOD_MIN_S / 10 + 1),
        (0, 1),
    ] {
        state.refuse(every(1, period_s, early_s), Refusal::PeriodInvalid);
    }
    state
        .run(every(1, PERIOD_MIN_S, PERIOD_MIN_S / 10))
        .unwrap();
    state
        .run(every(1, PERIOD_MAX_S, PERIOD_MAX_S / 10))
        .unwrap();
}

// Mutation: without a new beginning in RotateKey, a key that was rotated by hand is rotated again
// at the former time, and one that is rotated by its period for ever.
#[test]
fn a_rotation_by_whomever_begins_the_period_anew() {
    let mut state = with_one_key();
    state.run(every(1, 10 * HOUR_S, HOUR_S)).unwrap();
    state.now_ms += 4 * HOUR_MS;
    state.run(rotate(2, 2)).unwrap();
    assert_eq!(awaited(&state), [(START + 13 * HOUR_MS, 1)]);
    assert_eq!(due_ms(&state), Some(START + 13 * HOUR_MS));
    // Refused, it begins nothing.
    state.now_ms += HOUR_MS;
    state.refuse(rotate(2, 3), Refusal::Conflict);
    assert_eq!(awaited(&state), [(START + 13 * HOUR_MS, 1)]);
}

#[test]
fn a_signing_key_begins_anew_too() {
    let mut state = State::begun();
    let key = create_typed_key("k", 1, KeyType::Ed25519);
    state.run(Command::CreateTypedKey(key)).unwrap();
    state.run(every(1, HOUR_S, 0)).unwrap();
    state.now_ms += HOUR_MS;
    let place = Place::key_version(KeyType::Ed25519, key_id(1), KeyVersion(2), "k");
    let rotation = RotateKey {
        key_id: key_id(1),
        expected_revision: 2,
        version: 2,
        sealed: record(&place, 1),
    };
    let public_key = public_key(KeyType::Ed25519, 2);
    let command = RotateSigningKey {
        rotation,
        public_key,
    };
    state.run(Command::RotateSigningKey(command)).unwrap();
    assert_eq!(awaited(&state), [(START + 2 * HOUR_MS, 1)]);
}

#[test]
fn a_disabled_key_is_not_awaited_until_it_is_enabled() {
    let mut state = with_one_key();
    state.run(every(1, HOUR_S, 0)).unwrap();
    state.run(set(KeyState::Disabled)).unwrap();
    let due = START + HOUR_MS;
    assert_eq!((due_ms(&state), awaited(&state)), (Some(due), vec![]));
    // A period that is set meanwhile waits as well.
    state.now_ms += HOUR_MS;
    state.run(every(1, 3 * HOUR_S, 0)).unwrap();
    assert_eq!(awaited(&state), []);
    state.now_ms += 9 * HOUR_MS;
    state.run(set(KeyState::Enabled)).unwrap();
    assert_eq!(awaited(&state), [(START + 4 * HOUR_MS, 1)]);
    state.run(set(KeyState::Disabled)).unwrap();
    state.run(every(1, 0, 0)).unwrap();
    state.run(set(KeyState::Enabled)).unwrap();
    assert_eq!((due_ms(&state), awaited(&state)), (None, vec![]));
}

// A leader that goes down in the middle, and the next one: both decided the same rotation.
#[test]
fn two_leaders_rotate_once() {
    let mut state = with_one_key();
    state.run(every(1, HOUR_S, 0)).unwrap();
    let proposal = |sealed_for: u32, state: &State| Proposal {
        idempotency: Some(Idempotency::new("rotation by period", &[7; 16], [7; 32])),
        ..Proposal::internal(state.now_ms + HOUR_MS, rotate(2, sealed_for))
    };
    let first = state.propose(proposal(2, &state));
    let second = state.propose(proposal(2, &state));
    assert_eq!(first, second);
    assert_eq!(state.index.key(&key_id(1)).unwrap().primary, 2);
    // Without the memory of the first, by the revision.
    state.refuse(rotate(2, 2), Refusal::Conflict);
    // Whoever decided under the former period finds another revision.
    state.run(every(1, 2 * HOUR_S, 0)).unwrap();
    state.refuse(rotate(3, 3), Refusal::Conflict);
    // Who disabled and enabled the key, too.
    state.run(rotate(4, 3)).unwrap();
}

// Mutation: dated by the state's clock, nothing is rotated for a year after the leader's clock was
// set right.
#[test]
fn the_next_time_is_dated_by_the_leader_and_not_by_the_states_clock() {
    let mut state = with_one_key();
    let year_ms = 365 * 24 * HOUR_MS;
    let right_ms = state.now_ms;
    state.now_ms += year_ms;
    state.run(create_key("made-meanwhile", 2)).unwrap();
    state.now_ms = right_ms;
    state.run(every(1, HOUR_S, 0)).unwrap();
    assert_eq!(state.index.counters().time_ms, right_ms + year_ms);
    assert_eq!(awaited(&state), [(right_ms + HOUR_MS, 1)]);
    state.now_ms += HOUR_MS;
    state.run(rotate(2, 2)).unwrap();
    assert_eq!(awaited(&state), [(right_ms + 2 * HOUR_MS, 1)]);
}

#[test]
fn the_longest_due_comes_first_and_what_is_not_due_is_not_looked_at() {
    let mut state = State::begun();
    for number in 1..=5 {
        let command = create_key(&format!("k{number}"), number);
        state.run(command).unwrap();
        let period_s = HOUR_S * (6 - u32::try_from(number).unwrap());
        state.run(every(number, period_s, 0)).unwrap();
    }
    // Records that sort behind: the index ends where its own do.
    let due = state.index.rotations_due(START + 2 * HOUR_MS);
    let ids: Vec<_> = due.map(|(_, id)| id).collect();
    assert_eq!(ids, [key_id(5), key_id(4)]);
}

#[test]
fn a_state_of_the_second_format_has_no_periods() {
    let mut state = State::empty();
    let second = Genesis {
        format_version: 2,
        ..genesis()
    };
    state.run(Command::Genesis(Box::new(second))).unwrap();
    state.run(create_key("k", 1)).unwrap();
    state.refuse(every(1, HOUR_S, 0), Refusal::FormatNewer);
    state.run(rotate(1, 2)).unwrap();
}
