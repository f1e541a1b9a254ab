//! PutPolicy.

use super::*;

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
