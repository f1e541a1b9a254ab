//! SetVersionState and SetKeyMinimum.

use super::*;
use crate::command::{SetKeyMinimum, SetVersionState};

fn set_version(version: u32, state: KeyState) -> Command {
    Command::SetVersionState(SetVersionState {
        key_id: key_id(1),
        version,
        state,
    })
}

fn minimum(encrypt: u32, decrypt: u32) -> Command {
    Command::SetKeyMinimum(SetKeyMinimum {
        key_id: key_id(1),
        encrypt,
        decrypt,
    })
}

/// A key with three versions, of which the last is the primary.
fn three_versions() -> State {
    let mut state = State::begun();
    state.run(create_key("k", 1)).unwrap();
    state.run(rotate(1, 2)).unwrap();
    state.run(rotate(2, 3)).unwrap();
    state
}

fn revision_and_epoch(state: &State) -> (u64, u64) {
    let key = state.index.key(&key_id(1)).unwrap();
    (key.revision, key.epoch)
}

#[test]
fn one_version_is_disabled_and_only_a_loss_moves_the_epoch() {
    let mut state = State::begun();
    state.refuse(set_version(1, KeyState::Disabled), Refusal::KeyNotFound);
    let mut state = three_versions();
    for version in [0, 4] {
        let unknown = set_version(version, KeyState::Disabled);
        state.refuse(unknown, Refusal::VersionNotFound);
    }
    assert_eq!(revision_and_epoch(&state), (3, 0));
    let mut steps = Vec::new();
    for next in [
        KeyState::Disabled,
        KeyState::Disabled,
        KeyState::Enabled,
        KeyState::Disabled,
    ] {
        let key_id = key_id(1);
        let done = state.run(set_version(2, next));
        assert_eq!(done, Ok(Outcome::KeyChanged { key_id }));
        let states = state.index.key_versions(&key_id).map(|it| it.state);
        let expected = [KeyState::Enabled, next, KeyState::Enabled];
        assert!(states.eq(expected));
        assert_eq!(state.index.key(&key_id).unwrap().state, KeyState::Enabled);
        steps.push(revision_and_epoch(&state));
    }
    assert_eq!(steps, [(4, 1), (4, 1), (5, 1), (6, 2)]);
    // The primary can be disabled, and a rotation is the way on from there.
    state.run(set_version(3, KeyState::Disabled)).unwrap();
    state.run(rotate(7, 4)).unwrap();
}

#[test]
fn minima_are_in_order_and_only_a_rise_moves_the_epoch() {
    let mut state = State::begun();
    state.refuse(minimum(1, 1), Refusal::KeyNotFound);
    let mut state = three_versions();
    for (encrypt, decrypt) in [(4, 0), (0, 4), (2, 3), (u32::MAX, 1)] {
        state.refuse(minimum(encrypt, decrypt), Refusal::MinimumInvalid);
    }
    let mut steps = Vec::new();
    for (encrypt, decrypt) in [(2, 0), (0, 2), (2, 2), (0, 3), (0, 1), (1, 0), (3, 2)] {
        state.run(minimum(encrypt, decrypt)).unwrap();
        let traits = state.index.key_traits(&key_id(1));
        let (revision, epoch) = revision_and_epoch(&state);
        let now = (traits.minimum_encrypt, traits.minimum_decrypt);
        steps.push((now, revision, epoch));
    }
    let expected = [
        ((2, 1), 4, 1),
        ((2, 2), 5, 2),
        ((2, 2), 5, 2),
        ((3, 3), 6, 3),
        ((3, 1), 7, 3),
        ((1, 1), 8, 3),
        ((3, 2), 9, 4),
    ];
    assert_eq!(steps, expected);
    let key_type = state.index.key_traits(&key_id(1)).key_type;
    assert_eq!(key_type, KeyType::Aes256Gcm);
}

#[test]
fn a_state_of_the_first_format_has_neither() {
    let mut state = State::empty();
    let first = Genesis {
        format_version: 1,
        ..genesis()
    };
    state.run(Command::Genesis(Box::new(first))).unwrap();
    state.run(create_key("k", 1)).unwrap();
    state.refuse(set_version(1, KeyState::Disabled), Refusal::FormatNewer);
    state.refuse(minimum(1, 1), Refusal::FormatNewer);
}
