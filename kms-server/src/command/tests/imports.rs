//! CreateImport, ImportKey, and imports whose time is over.

use super::*;
use crate::command::testing::create_typed_key;
use crate::command::{CreateImport, ImportKey};

const HOUR_MS: u64 = 3_600_000;

fn begin_import(number: u8, name: &str) -> CreateImport {
    CreateImport {
        import_id: [number; 16],
        name: name.to_owned(),
        key_type: KeyType::HmacSha256,
        role: Role::Operator,
        id: "alice".to_owned(),
        public_key: [number; 32],
        sealed: record(&Place::import(&[number; 16]), 1),
        expires_ms: START + HOUR_MS,
    }
}

fn create(import: CreateImport) -> Command {
    Command::CreateImport(Box::new(import))
}

fn finish_import(number: u8, name: &str, key: u64, fingerprint: u8) -> ImportKey {
    ImportKey {
        import_id: [number; 16],
        key: create_typed_key(name, key, KeyType::HmacSha256),
        fingerprint: [fingerprint; 32],
    }
}

fn finish(import: ImportKey) -> Command {
    Command::ImportKey(Box::new(import))
}

#[test]
fn an_import_makes_one_key_and_is_gone() {
    let mut state = State::begun();
    let import_id = [1; 16];
    let begun = state.run(create(begin_import(1, "k")));
    assert_eq!(begun, Ok(Outcome::ImportCreated { import_id }));
    let kept = state.index.import(&import_id).unwrap();
    assert_eq!((&*kept.name, &*kept.id), ("k", "alice"));
    let made = state.run(finish(finish_import(1, "k", 1, 9)));
    assert_eq!(made, Ok(Outcome::KeyCreated { key_id: key_id(1) }));
    let key = state.index.key_by_name("k").unwrap();
    assert_eq!((key.key_id, key.primary), (key_id(1), 1));
    let traits = state.index.key_traits(&key_id(1));
    assert_eq!(traits.key_type, KeyType::HmacSha256);
    assert!(state.index.is_imported(&key_id(1)));
    assert!(state.index.import(&import_id).is_none());
    assert_eq!(state.index.expired_imports(u64::MAX).count(), 0);
    state.run(create_key("made", 2)).unwrap();
    assert!(!state.index.is_imported(&key_id(2)));

    let again = finish_import(1, "other", 3, 8);
    state.refuse(finish(again), Refusal::ImportInvalid);
}

#[test]
fn an_import_is_for_its_name_and_type_and_time() {
    let mut state = State::begun();
    state.run(create(begin_import(1, "k"))).unwrap();
    state.refuse(finish(finish_import(2, "k", 1, 9)), Refusal::ImportInvalid);
    state.refuse(finish(finish_import(1, "l", 1, 9)), Refusal::ImportInvalid);
    let other = ImportKey {
        key: create_typed_key("k", 1, KeyType::Aes256Gcm),
        ..finish_import(1, "k", 1, 9)
    };
    state.refuse(finish(other), Refusal::ImportInvalid);
    // Somebody was faster with the name.
    state.run(create_key("k", 2)).unwrap();
    state.refuse(finish(finish_import(1, "k", 1, 9)), Refusal::NameTaken);
    assert!(state.index.import(&[1; 16]).is_some());

    state.run(create(begin_import(2, "l"))).unwrap();
    state.now_ms = START + HOUR_MS;
    let late = state.run(finish(finish_import(2, "l", 1, 9)));
    assert_eq!(late, Err(Refusal::ImportInvalid));
}

// Mutation: without the sweep, private keys that nobody may use any more stay for ever.
#[test]
fn what_is_over_is_deleted_by_whatever_comes_next() {
    let mut state = State::begun();
    for number in 1..=5 {
        let name = format!("k{number}");
        let expires_ms = START + u64::from(number) * HOUR_MS;
        let import = CreateImport {
            expires_ms,
            ..begin_import(number, &name)
        };
        state.run(create(import)).unwrap();
    }
    state.now_ms = START + 4 * HOUR_MS - 1;
    state.run(create_key("a", 11)).unwrap();
    state.run(create_key("b", 12)).unwrap();
    let alive: Vec<u8> = (1..=5)
        .filter(|number| state.index.import(&[*number; 16]).is_some())
        .collect();
    assert_eq!(alive, [4, 5]);
    let left = state.index.expired_imports(u64::MAX);
    assert_eq!(left.count(), 2);
    // The clock moves with refusals too.
    state.now_ms += 1;
    assert_eq!(state.run(create_key("a", 13)), Err(Refusal::NameTaken));
    assert!(state.index.import(&[4; 16]).is_none());
}

#[test]
fn the_same_material_is_taken_once() {
    let mut state = State::begun();
    state.run(create(begin_import(1, "k"))).unwrap();
    state.run(create(begin_import(2, "l"))).unwrap();
    state.run(finish(finish_import(1, "k", 1, 9))).unwrap();
    state.refuse(finish(finish_import(2, "l", 2, 9)), Refusal::MaterialKnown);
    state.run(finish(finish_import(2, "l", 2, 8))).unwrap();
}

#[test]
fn imports_are_few_short_and_of_names_that_keys_may_have() {
    let mut state = State::begun();
    for name in ["", "a b", "device/mon-1", "alias/k"] {
        state.refuse(create(begin_import(1, name)), Refusal::NameInvalid);
    }
    for expires_ms in [START, START + 24 * HOUR_MS + 1] {
        let import = CreateImport {
            expires_ms,
            ..begin_import(1, "k")
        };
        state.refuse(create(import), Refusal::ImportInvalid);
    }
    let foreign = CreateImport {
        sealed: record(&Place::import(&[2; 16]), 1),
        ..begin_import(1, "k")
    };
    state.refuse(create(foreign), Refusal::RecordUnfit);
    state.run(create_key("taken", 1)).unwrap();
    state.refuse(create(begin_import(1, "taken")), Refusal::NameTaken);
    for number in 1..=64 {
        state.run(create(begin_import(number, "k"))).unwrap();
    }
    state.refuse(create(begin_import(64, "k")), Refusal::IdExists);
    state.refuse(create(begin_import(65, "k")), Refusal::ImportsFull);
    // One that is over makes room, swept away or not.
    state.now_ms = START + HOUR_MS;
    let next = CreateImport {
        expires_ms: START + 2 * HOUR_MS,
        ..begin_import(65, "k")
    };
    state.run(create(next)).unwrap();
}

#[test]
fn a_state_of_the_second_format_has_no_imports() {
    let mut state = State::empty();
    let second = Genesis {
        format_version: 2,
        ..genesis()
    };
    state.run(Command::Genesis(Box::new(second))).unwrap();
    state.refuse(create(begin_import(1, "k")), Refusal::FormatNewer);
    state.refuse(finish(finish_import(1, "k", 1, 9)), Refusal::FormatNewer);
}
