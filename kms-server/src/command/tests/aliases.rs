//! PutAlias and DeleteAlias.

use super::*;
use crate::command::{DeleteAlias, PutAlias};

fn put(name: &str, key: u64, expected_revision: u64) -> Command {
    Command::PutAlias(PutAlias {
        name: name.to_owned(),
        key_id: key_id(key),
        expected_revision,
    })
}

fn delete(name: &str, expected_revision: u64) -> Command {
    Command::DeleteAlias(DeleteAlias {
        name: name.to_owned(),
        expected_revision,
    })
}

/// Two keys, called `one` and `two`.
fn two_keys() -> State {
    let mut state = State::begun();
    state.run(create_key("one", 1)).unwrap();
    state.run(create_key("two", 2)).unwrap();
    state
}

fn means(state: &State, name: &str) -> Option<String> {
    let key = state.index.key_by_name_or_alias(name)?;
    Some(key.name.clone())
}

fn epochs(state: &State) -> [u64; 2] {
    [1, 2].map(|key| state.index.key(&key_id(key)).unwrap().epoch)
}

#[test]
fn an_alias_is_made_moved_and_deleted_by_compare_and_swap() {
    let mut state = two_keys();
    state.refuse(put("alias/a", 3, 0), Refusal::KeyNotFound);
    state.refuse(put("alias/a", 1, 1), Refusal::AliasNotFound);
    state.refuse(delete("alias/a", 1), Refusal::AliasNotFound);
    state.run(put("alias/a", 1, 0)).unwrap();
    assert_eq!(means(&state, "alias/a").as_deref(), Some("one"));
    assert_eq!(epochs(&state), [0, 0]);

    state.refuse(put("alias/a", 2, 0), Refusal::NameTaken);
    state.refuse(put("alias/a", 2, 2), Refusal::Conflict);
    state.run(put("alias/a", 2, 1)).unwrap();
    assert_eq!(means(&state, "alias/a").as_deref(), Some("two"));
    // What was got of the former key through the alias is void.
    assert_eq!(epochs(&state), [1, 0]);
    assert_eq!(state.index.aliases_of(key_id(1)).count(), 0);
    assert!(state.index.aliases_of(key_id(2)).eq(["alias/a"]));

    state.refuse(delete("alias/a", 1), Refusal::Conflict);
    state.run(delete("alias/a", 2)).unwrap();
    assert_eq!(means(&state, "alias/a"), None);
    assert_eq!(epochs(&state), [1, 1]);
    state.refuse(delete("alias/a", 3), Refusal::AliasNotFound);
    // A former revision does not come again, so nobody is right by accident.
    state.run(put("alias/a", 1, 0)).unwrap();
    assert_eq!(state.index.alias("alias/a").unwrap().revision, 4);
    state.refuse(put("alias/a", 2, 1), Refusal::Conflict);
}

#[test]
fn an_alias_is_no_key_s_name_and_the_other_way_round() {
    let mut state = two_keys();
    for name in ["one", "alias/", "alias/a b", ""] {
        state.refuse(put(name, 1, 0), Refusal::NameInvalid);
    }
    state.refuse(create_key("alias/a", 3), Refusal::NameInvalid);
}

#[test]
fn a_key_of_the_first_format_that_is_called_as_an_alias_keeps_its_name() {
    let mut state = State::empty();
    let first = Genesis {
        format_version: 1,
        ..genesis()
    };
    state.run(Command::Genesis(Box::new(first))).unwrap();
    state.run(create_key("alias/a", 1)).unwrap();
    state.refuse(put("alias/b", 1, 0), Refusal::FormatNewer);
    let raise = Command::RaiseFormat(RaiseFormat {
        version: 2,
        next_node_id: state.index.counters().next_node_id,
    });
    state.run(raise).unwrap();
    state.run(create_key("two", 2)).unwrap();
    state.refuse(put("alias/a", 2, 0), Refusal::NameTaken);
    assert_eq!(means(&state, "alias/a").as_deref(), Some("alias/a"));
    state.refuse(create_key("alias/c", 3), Refusal::NameInvalid);
}

#[test]
fn a_key_has_so_many_aliases_and_lists_are_pages() {
    let mut state = two_keys();
    for at in 0..16 {
        state.run(put(&format!("alias/{at:02}"), 1, 0)).unwrap();
    }
    state.refuse(put("alias/more", 1, 0), Refusal::AliasesFull);
    state.run(put("alias/x", 2, 0)).unwrap();
    state.refuse(put("alias/x", 1, 1), Refusal::AliasesFull);
    state.run(delete("alias/03", 1)).unwrap();
    let names = |prefix: &str, after: &str| -> Vec<String> {
        let aliases = state.index.aliases(prefix, after);
        let living = aliases.filter(|alias| alias.key_id.is_some());
        living.map(|alias| alias.name.clone()).collect()
    };
    assert_eq!(names("alias/0", "alias/01")[..2], ["alias/02", "alias/04"]);
    assert_eq!(names("alias/x", ""), ["alias/x"]);
    assert_eq!(names("", "").len(), 16);
    assert_eq!(names("alias/y", ""), [""; 0]);
}
