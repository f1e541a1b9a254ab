//! Genesis: first, once, and what it brings.

use super::*;

#[test]
fn nothing_comes_before_genesis_and_genesis_comes_once() {
    let mut state = State::empty();
    state.refuse(create_key("k", 1), Refusal::NotBegun);
    assert_eq!(state.run(begin()), Ok(Outcome::Begun));
    state.refuse(begin(), Refusal::AlreadyBegun);
    let cluster = state.index.cluster().unwrap();
    assert_eq!(cluster.created_ms, START);
    assert_eq!(state.index.counters().next_node_id, 2);
    assert_eq!(
        state.index.node(NodeId(1)).unwrap().public_key,
        b"public key 1"
    );
}

#[test]
fn genesis_brings_identities_and_policies() {
    let mut state = State::empty();
    let genesis = Genesis {
        identities: vec![FirstIdentity {
            role: Role::Operator,
            id: "first".to_owned(),
            spki_sha256: [9; 32],
            not_after_ms: 5,
        }],
        policies: vec![PutPolicy {
            policy_id: "base".to_owned(),
            expected_revision: 0,
            sealed: record(&Place::policy("base"), 1),
        }],
        ..genesis()
    };
    state.run(Command::Genesis(Box::new(genesis))).unwrap();
    let operator = state.index.identity(Role::Operator, "first").unwrap();
    assert!(operator.honours(&[9; 32]));
    assert!(!operator.honours(&[8; 32]));
    assert_eq!(state.index.policies().count(), 1);
    assert_eq!(state.index.counters().policy_epoch, 1);
}
