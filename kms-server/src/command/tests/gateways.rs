//! AnnounceGateway.

use super::*;

#[test]
fn a_gateway_that_joined_is_where_it_says() {
    let mut state = State::begun();
    state.refuse(announce("core"), Refusal::IdentityNotFound);
    state
        .run(token(1, Role::Gateway, "core", u64::MAX))
        .unwrap();
    state.run(consume(1, 1, Role::Gateway)).unwrap();
    state.run(announce("core")).unwrap();
    assert_eq!(state.index.gateway("core").unwrap().pid, 7);
    assert_eq!(state.index.gateways().count(), 1);
}
