//! What surrounds every command: guard, clock, repetition.

use super::*;

/// A write decided now for the application of this key.
fn decided(state: &State, name: &str, number: u64, key: u8) -> Proposal {
    let guard = Guard {
        policy_epoch: state.index.counters().policy_epoch,
        role: Role::App,
        id: "app".to_owned(),
        spki_sha256: [key; 32],
    };
    Proposal {
        guard: Some(guard),
        ..Proposal::internal(START, create_key(name, number))
    }
}

#[test]
fn a_decision_under_former_policies_is_refused() {
    let mut state = State::begun();
    state.run(token(1, Role::App, "app", u64::MAX)).unwrap();
    state.run(consume(1, 1, Role::App)).unwrap();
    let former = decided(&state, "k", 1, 1);
    state.run(policy("p", 0)).unwrap();
    assert_eq!(state.propose(former).0, Err(Refusal::StaleGuard));
    let anew = decided(&state, "k", 1, 1);
    assert!(state.propose(anew).0.is_ok());
}

#[test]
fn a_decision_for_who_was_changed_meanwhile_is_refused_and_nobody_elses_is() {
    let mut state = State::begun();
    for (secret, id) in [(1, "app"), (2, "other")] {
        state.run(token(secret, Role::App, id, u64::MAX)).unwrap();
        state.run(consume(secret, secret, Role::App)).unwrap();
    }
    // Another identity loses one key after the other.
    for key in 10..30 {
        let waiting = decided(&state, &format!("k-{key}"), u64::from(key), 1);
        state
            .run(certificate(Role::App, "other", key, u64::MAX))
            .unwrap();
        assert!(state.propose(waiting).0.is_ok());
    }
    // A renewal takes nothing away; a join with another key does.
    let waiting = decided(&state, "renewed", 1, 1);
    state
        .run(certificate(Role::App, "app", 9, u64::MAX))
        .unwrap();
    assert!(state.propose(waiting).0.is_ok());
    let waiting = decided(&state, "stolen", 2, 1);
    state.run(token(3, Role::App, "app", u64::MAX)).unwrap();
    state.run(consume(3, 3, Role::App)).unwrap();
    assert_eq!(state.propose(waiting).0, Err(Refusal::StaleGuard));
    let unknown = decided(&State::begun(), "nobody", 3, 1);
    assert_eq!(
        State::begun().propose(unknown).0,
        Err(Refusal::StaleGuard),
        "an identity that is not there decides nothing"
    );
}

#[test]
fn the_clock_never_goes_back() {
    let mut state = State::begun();
    state.now_ms = START + 500;
    state.run(create_key("a", 1)).unwrap();
    state.now_ms = START - 500;
    state.run(create_key("b", 2)).unwrap();
    assert_eq!(
        state.index.key_by_name("b").unwrap().created_ms,
        START + 500
    );
    assert_eq!(state.index.counters().time_ms, START + 500);
}

fn asked(caller: &str, request: u8, time_ms: u64, command: Command) -> Proposal {
    Proposal {
        time_ms,
        idempotency: Some(Idempotency::new(caller, &[5; 16], [request; 32])),
        guard: None,
        command,
    }
}

#[test]
fn a_repetition_gets_the_first_answer() {
    let mut state = State::begun();
    let first = state.propose(asked("alice", 1, START, create_key("k", 1)));
    // Sealed anew, as a leader would: another key id, the same intent.
    let again = state.propose(asked("alice", 1, START + 9, create_key("k", 2)));
    assert_eq!(again, first);
    assert!(state.index.key(&key_id(2)).is_none());

    let other = state.propose(asked("alice", 2, START, create_key("l", 3)));
    assert_eq!(other.0, Err(Refusal::IdempotencyReused));
    let caller = state.propose(asked("bob", 2, START, create_key("l", 3)));
    assert!(caller.0.is_ok(), "another caller's key is another key");
}

#[test]
fn a_refusal_is_not_kept() {
    let mut state = State::begun();
    let refused = state.propose(asked("alice", 1, START, rotate(1, 2)));
    assert_eq!(refused.0, Err(Refusal::KeyNotFound));
    state.run(create_key("k", 1)).unwrap();
    assert!(
        state
            .propose(asked("alice", 1, START, rotate(1, 2)))
            .0
            .is_ok()
    );
}

#[test]
fn an_answer_is_forgotten_after_its_time_and_swept() {
    let mut state = State::begun();
    for number in 0..20 {
        let caller = format!("caller {number}");
        let command = create_key(&format!("k{number}"), number);
        state.propose(asked(&caller, 1, START, command)).0.unwrap();
    }
    let before = state.records().len();
    let late = START + IDEMPOTENCY_KEPT_MS;
    // The same key after its time is a new intent.
    let again = state.propose(asked("caller 0", 2, late, create_key("new", 99)));
    assert!(again.0.is_ok());
    for _ in 0..10 {
        state
            .propose(Proposal::internal(late, policy("p", 99)))
            .0
            .unwrap_err();
    }
    // 20 answers of two records each went; one answer and a key of three records came.
    assert_eq!(state.records().len(), before - 40 + 2 + 3);
    let repeated = state.propose(asked("caller 0", 2, late, create_key("new", 98)));
    assert_eq!(repeated, again);
}
