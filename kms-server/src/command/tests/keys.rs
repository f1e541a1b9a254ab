//! CreateKey, RotateKey, SetKeyState, and the pages of keys and devices.

use super::*;

#[test]
fn a_key_is_made_once() {
    let mut state = State::begun();
    let made = state.run(create_key("k", 1));
    assert_eq!(made, Ok(Outcome::KeyCreated { key_id: key_id(1) }));
    let key = state.index.key_by_name("k").unwrap();
    assert_eq!((key.primary, key.revision, key.epoch), (1, 1, 0));
    assert_eq!(key.state, KeyState::Enabled);
    let version = state.index.key_version(&key_id(1), key.primary_version());
    assert_eq!(version.unwrap().sealed.revision, 1);

    state.refuse(create_key("k", 2), Refusal::NameTaken);
    state.refuse(create_key("other", 1), Refusal::IdExists);
    state.refuse(create_key("", 3), Refusal::NameInvalid);
    state.refuse(create_key("a b", 3), Refusal::NameInvalid);
    state.refuse(create_key("device/mine", 3), Refusal::NameInvalid);
    let large = CreateKey {
        key_id: key_id(3),
        name: "large".to_owned(),
        sealed: vec![0; SEALED_BYTES_MAX + 1],
    };
    state.refuse(Command::CreateKey(large), Refusal::TooLarge);
}

#[test]
fn rotation_is_compare_and_swap() {
    let mut state = State::begun();
    state.refuse(rotate(1, 2), Refusal::KeyNotFound);
    state.run(create_key("k", 1)).unwrap();
    state.refuse(rotate(2, 2), Refusal::Conflict);
    state.refuse(rotate(1, 3), Refusal::Conflict);
    state.run(rotate(1, 2)).unwrap();
    // The same decision a second time was made on what is no longer so.
    state.refuse(rotate(1, 2), Refusal::Conflict);
    let key = state.index.key(&key_id(1)).unwrap();
    assert_eq!((key.primary, key.revision, key.epoch), (2, 2, 0));
    let versions: Vec<u32> = state
        .index
        .key_versions(&key_id(1))
        .map(|v| v.version)
        .collect();
    assert_eq!(versions, [1, 2]);
    state.run(set(KeyState::Disabled)).unwrap();
    state.refuse(rotate(3, 3), Refusal::KeyDisabled);
}

#[test]
fn only_a_loss_moves_a_keys_epoch() {
    let mut state = State::begun();
    state.refuse(set(KeyState::Disabled), Refusal::KeyNotFound);
    state.run(create_key("k", 1)).unwrap();
    let mut steps = Vec::new();
    for next in [
        KeyState::Disabled,
        KeyState::Disabled,
        KeyState::Enabled,
        KeyState::Disabled,
    ] {
        state.run(set(next)).unwrap();
        let key = state.index.key(&key_id(1)).unwrap();
        assert_eq!(key.state, next);
        steps.push((key.revision, key.epoch));
    }
    assert_eq!(steps, [(2, 1), (2, 1), (3, 1), (4, 2)]);
}

#[test]
fn lists_are_pages() {
    let mut state = State::begun();
    for (number, name) in ["a/1", "a/2", "b/1", "b/2", "c"].iter().enumerate() {
        state.run(create_key(name, number as u64)).unwrap();
    }
    state.run(enroll("mon-1", "device/mon-1", 50)).unwrap();
    state.run(enroll("mon-2", "device/mon-2", 51)).unwrap();
    let names = |prefix: &str, after: &str| -> Vec<String> {
        let keys = state.index.keys_by_name(prefix, after);
        keys.map(|key| key.name.clone()).collect()
    };
    assert_eq!(names("b/", ""), ["b/1", "b/2"]);
    assert_eq!(names("b/", "b/1"), ["b/2"]);
    assert_eq!(names("", "b/2"), ["c", "device/mon-1", "device/mon-2"]);
    assert_eq!(names("x", ""), [""; 0]);
    let devices: Vec<&str> = state
        .index
        .devices("mon-1")
        .map(|d| &*d.device_id)
        .collect();
    assert_eq!(devices, ["mon-2"]);
}
