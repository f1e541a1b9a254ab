//! PutPolicy.

use super::*;
use crate::command::{DeletePolicy, PutEndingPolicy};
use crate::state::POLICY_LIFE_MAX_MS;

#[test]
fn a_policy_is_replaced_only_by_who_saw_it() {
    let mut state = State::begun();
    state.refuse(policy("p", 1), Refusal::Conflict);
    state.refuse(policy("no spaces", 0), Refusal::NameInvalid);
    assert_eq!(
        state.run(policy("p", 0)),
        Ok(Outcome::PolicyPut { policy_epoch: 1 })
    );
    state.refuse(policy("p", 0), Refusal::Conflict);
    assert_eq!(
        state.run(policy("p", 1)),
        Ok(Outcome::PolicyPut { policy_epoch: 2 })
    );
}

fn ending(id: &str, expected_revision: u64, ends_ms: u64) -> Command {
    let Command::PutPolicy(put) = policy(id, expected_revision) else {
        panic!("another command");
    };
    Command::PutEndingPolicy(PutEndingPolicy { put, ends_ms })
}

fn delete(id: &str) -> Command {
    let policy_id = id.to_owned();
    Command::DeletePolicy(DeletePolicy { policy_id })
}

/// An entry that does nothing but move the clock.
fn pass(state: &mut State, ms: u64) {
    state.now_ms += ms;
    assert_eq!(state.run(delete("none")), Err(Refusal::PolicyNotFound));
}

#[test]
fn a_policy_ends_by_itself_and_the_epoch_moves() {
    let mut state = State::begun();
    let ends_ms = START + 60_000;
    state.run(ending("a", 0, ends_ms)).unwrap();
    assert_eq!(state.index.policy_end("a"), Some(ends_ms));
    let epoch = state.index.counters().policy_epoch;
    pass(&mut state, 59_999);
    assert!(state.index.policy("a").is_some());
    assert_eq!(state.index.counters().policy_epoch, epoch);
    pass(&mut state, 1);
    assert!(state.index.policy("a").is_none());
    assert_eq!(state.index.counters().policy_epoch, epoch + 1);
    assert_eq!(state.index.policy_end("a"), None);
    pass(&mut state, 60_000);
    assert_eq!(state.index.counters().policy_epoch, epoch + 1);
}

#[test]
fn a_policy_that_is_put_anew_has_the_end_that_it_is_given_last() {
    let mut state = State::begun();
    state.run(ending("a", 0, START + 10)).unwrap();
    state.run(ending("a", 1, START + 20)).unwrap();
    pass(&mut state, 10);
    assert!(state.index.policy("a").is_some());
    state.run(policy("a", 2)).unwrap();
    pass(&mut state, 1_000_000);
    assert!(state.index.policy("a").is_some());
    // Put anew by the very entry at which it ends.
    state.run(ending("b", 0, state.now_ms + 10)).unwrap();
    state.now_ms += 10;
    state.run(policy("b", 1)).unwrap();
    pass(&mut state, 1);
    assert!(state.index.policy("b").is_some());
}

#[test]
fn no_revision_of_a_name_comes_twice() {
    let mut state = State::begun();
    state.run(policy("a", 0)).unwrap();
    state.run(policy("a", 1)).unwrap();
    assert_eq!(state.run(delete("a")), Ok(Outcome::PolicyDeleted));
    state.refuse(delete("a"), Refusal::PolicyNotFound);
    state.refuse(policy("a", 0), Refusal::Conflict);
    state.run(policy("a", 2)).unwrap();
    assert_eq!(state.index.policy_revision("a"), 3);
}

#[test]
fn an_end_is_ahead_and_not_too_far() {
    let mut state = State::begun();
    state.refuse(ending("a", 0, START), Refusal::EndInvalid);
    let last_ms = START + POLICY_LIFE_MAX_MS;
    state.refuse(ending("a", 0, last_ms + 1), Refusal::EndInvalid);
    state.refuse(ending("a", 0, u64::MAX), Refusal::EndInvalid);
    state.run(ending("a", 0, last_ms)).unwrap();
}
