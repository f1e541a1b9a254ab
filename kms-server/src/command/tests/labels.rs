//! Labels: SetKeyLabels, and CreateTypedKey with some.

use super::*;
use crate::command::testing::create_typed_key;
use crate::command::{LABELS_MAX, SetKeyLabels};
use crate::state::Labels;

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn labels(pairs: Pairs<'_>) -> Labels {
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(pair).collect()
}

fn change(set: &[(&str, &str)], remove: &[&str]) -> Command {
    Command::SetKeyLabels(SetKeyLabels {
        key_id: key_id(1),
        set: labels(set),
        remove: remove.iter().map(|key| (*key).to_owned()).collect(),
    })
}

fn many(count: usize) -> Labels {
    (0..count)
        .map(|at| (format!("l{at}"), String::new()))
        .collect()
}

#[test]
fn labels_are_set_and_removed_and_the_others_stay() {
    let mut state = State::begun();
    state.refuse(change(&[("a", "1")], &[]), Refusal::KeyNotFound);
    state.run(create_key("k", 1)).unwrap();
    let steps: [(Pairs<'_>, &[&str], Pairs<'_>, u64); 6] = [
        (&[("a", "1"), ("b", "2")], &[], &[("a", "1"), ("b", "2")], 2),
        (&[("a", "1")], &[], &[("a", "1"), ("b", "2")], 2),
        (&[("a", "3")], &["b"], &[("a", "3")], 3),
        // What is both removed and set stands.
        (&[("a", "4")], &["a"], &[("a", "4")], 4),
        (&[], &["none"], &[("a", "4")], 4),
        (&[], &["a"], &[], 5),
    ];
    for (set, remove, expected, revision) in steps {
        state.run(change(set, remove)).unwrap();
        let kept = state.index.key_labels(&key_id(1));
        assert_eq!(kept.cloned().unwrap_or_default(), labels(expected));
        let key = state.index.key(&key_id(1)).unwrap();
        // A policy may decide by them: what it permitted before it may refuse now.
        assert_eq!((key.revision, key.epoch), (revision, revision - 1));
    }
    assert!(state.index.get(&RecordId::KeyLabels(key_id(1))).is_none());
}

#[test]
fn labels_are_bounded_wherever_they_come_from() {
    let mut state = State::begun();
    state.run(create_key("k", 1)).unwrap();
    for (key, value) in [
        ("", "x"),
        ("Site", "x"),
        ("site", "a\tb"),
        ("site", &"x".repeat(129)),
    ] {
        state.refuse(change(&[(key, value)], &[]), Refusal::LabelsInvalid);
    }
    let set = |labels| {
        Command::SetKeyLabels(SetKeyLabels {
            key_id: key_id(1),
            set: labels,
            remove: Vec::new(),
        })
    };
    state.refuse(set(many(LABELS_MAX + 1)), Refusal::LabelsInvalid);
    state.run(set(many(LABELS_MAX))).unwrap();
    state.refuse(change(&[("one-more", "")], &[]), Refusal::LabelsInvalid);
    state.run(change(&[("one-more", "")], &["l0"])).unwrap();

    let mut labelled = create_typed_key("other", 2, KeyType::Aes256Gcm);
    labelled.labels = many(LABELS_MAX + 1);
    let refused = Command::CreateTypedKey(labelled.clone());
    state.refuse(refused, Refusal::LabelsInvalid);
    labelled.labels = many(2);
    state.run(Command::CreateTypedKey(labelled)).unwrap();
    assert_eq!(state.index.key_labels(&key_id(2)), Some(&many(2)));
}
