//! CreateJoinToken and ConsumeJoinToken.

use super::*;

#[test]
fn a_token_becomes_one_identity() {
    let mut state = State::begun();
    state
        .run(token(1, Role::Gateway, "edge", START + 10))
        .unwrap();
    state.refuse(
        token(1, Role::Gateway, "core", START + 10),
        Refusal::IdExists,
    );
    state.refuse(
        token(2, Role::Gateway, "", START + 10),
        Refusal::NameInvalid,
    );
    state.refuse(token(2, Role::Node, "5", START + 10), Refusal::NameInvalid);
    state.refuse(
        token(2, Role::Device, "mon-1", START + 10),
        Refusal::NameInvalid,
    );

    state.refuse(consume(9, 1, Role::Gateway), Refusal::TokenInvalid);
    for claimed in [Role::Node, Role::App, Role::Operator, Role::Device] {
        state.refuse(consume(1, 1, claimed), Refusal::TokenInvalid);
    }
    let joined = Ok(Outcome::Joined {
        role: Role::Gateway,
        id: "edge".to_owned(),
        node_id: None,
    });
    assert_eq!(state.run(consume(1, 1, Role::Gateway)), joined);
    assert_eq!(
        state.run(consume(1, 1, Role::Gateway)),
        joined,
        "the same joiner may repeat"
    );
    state.refuse(consume(1, 2, Role::Gateway), Refusal::TokenInvalid);
    assert!(
        state
            .index
            .identity(Role::Gateway, "edge")
            .unwrap()
            .honours(&[1; 32])
    );

    state.now_ms = START + 10;
    state.refuse(consume(1, 1, Role::Gateway), Refusal::TokenInvalid);
}

#[test]
fn tokens_that_have_ended_are_swept_away() {
    let mut state = State::begun();
    for secret in 1..=5 {
        state
            .run(token(secret, Role::App, "app", START + 10))
            .unwrap();
    }
    state.run(consume(1, 1, Role::App)).unwrap();
    state.run(token(6, Role::App, "app", START + 99)).unwrap();
    state.now_ms = START + 10;
    state.run(token(7, Role::App, "app", START + 99)).unwrap();
    assert!(state.index.expired_tokens(state.now_ms).next().is_none());
    assert!((6..=7).all(|secret| state.index.token(&[secret; 16]).is_some()));
    assert!((1..=5).all(|secret| state.index.token(&[secret; 16]).is_none()));
}

#[test]
fn node_ids_are_never_given_twice() {
    let mut state = State::begun();
    let mut given = Vec::new();
    for number in 1..=3 {
        state.run(token(number, Role::Node, "", u64::MAX)).unwrap();
        state.refuse(consume(number, number, Role::App), Refusal::TokenInvalid);
        for _repeated in 0..2 {
            let joined = state.run(consume(number, number, Role::Node)).unwrap();
            let Outcome::Joined { node_id, .. } = joined else {
                panic!("{joined:?}");
            };
            given.push(node_id.unwrap().0);
        }
    }
    assert_eq!(given, [2, 2, 3, 3, 4, 4]);
    assert_eq!(state.index.nodes().count(), 4);
    assert!(state.index.identity(Role::Node, "4").is_some());
}

#[test]
fn joining_again_takes_the_former_key_away() {
    let mut state = State::begun();
    state.run(token(1, Role::App, "app", u64::MAX)).unwrap();
    state.run(consume(1, 1, Role::App)).unwrap();
    let epoch = state.index.counters().identity_epoch;
    state.run(token(2, Role::App, "app", u64::MAX)).unwrap();
    state.run(consume(2, 2, Role::App)).unwrap();
    let app = state.index.identity(Role::App, "app").unwrap();
    assert!(app.honours(&[2; 32]) && !app.honours(&[1; 32]));
    assert_eq!(state.index.counters().identity_epoch, epoch + 1);
}
