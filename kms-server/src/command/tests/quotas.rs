//! PutQuota and DeleteQuota.

use super::*;
use crate::command::{DeleteQuota, PutQuota};
use crate::state::{QuotaClass, QuotaLimit};

fn limit(class: QuotaClass, amount: u32, window_s: u32) -> QuotaLimit {
    QuotaLimit {
        class,
        amount,
        window_s,
    }
}

fn put(role: Role, id: &str, limits: &[QuotaLimit]) -> Command {
    Command::PutQuota(PutQuota {
        role,
        id: id.to_owned(),
        limits: limits.to_vec(),
    })
}

fn delete(role: Role, id: &str) -> Command {
    let id = id.to_owned();
    Command::DeleteQuota(DeleteQuota { role, id })
}

#[test]
fn an_identity_s_own_quota_counts_before_its_role_s() {
    let mut state = State::begun();
    let amount = |state: &State, id: &str| {
        let quota = state.index.quota_of(Role::App, id);
        quota.map(|quota| quota.limits[0].amount)
    };
    let opens = |amount| [limit(QuotaClass::Opens, amount, 1)];
    assert_eq!(amount(&state, "portal"), None);
    let answer = state.run(put(Role::App, "", &opens(10)));
    assert_eq!(answer, Ok(Outcome::QuotaPut { revision: 1 }));
    state.run(put(Role::App, "portal", &opens(20))).unwrap();
    let answer = state.run(put(Role::App, "portal", &opens(30)));
    assert_eq!(answer, Ok(Outcome::QuotaPut { revision: 2 }));
    assert_eq!(amount(&state, "portal"), Some(30));
    assert_eq!(amount(&state, "reader"), Some(10));
    assert!(state.index.quota_of(Role::Operator, "portal").is_none());
    assert_eq!(state.index.quotas().count(), 2);

    state.run(delete(Role::App, "portal")).unwrap();
    assert_eq!(amount(&state, "portal"), Some(10));
    state.refuse(delete(Role::App, "portal"), Refusal::QuotaNotFound);
    state.run(delete(Role::App, "")).unwrap();
    assert_eq!(amount(&state, "portal"), None);
}

// Mutation: a quota for gateways may keep what devices send from being sealed.
#[test]
fn a_quota_that_says_nothing_or_too_much_is_refused_and_gateways_have_none() {
    let mut state = State::begun();
    let good = limit(QuotaClass::Opens, 100, 1);
    for role in [Role::Gateway, Role::Device, Role::Node] {
        state.refuse(put(role, "one", &[good]), Refusal::QuotaInvalid);
        state.refuse(put(role, "", &[good]), Refusal::QuotaInvalid);
    }
    for wrong in [
        limit(QuotaClass::Opens, 0, 1),
        limit(QuotaClass::Opens, 1, 0),
        limit(QuotaClass::Opens, 1_000_000_001, 1),
        limit(QuotaClass::Opens, 1, 86_401),
    ] {
        state.refuse(put(Role::App, "portal", &[wrong]), Refusal::QuotaInvalid);
    }
    state.refuse(put(Role::App, "portal", &[]), Refusal::QuotaInvalid);
    let twice = [good, limit(QuotaClass::Opens, 5, 1)];
    state.refuse(put(Role::App, "portal", &twice), Refusal::QuotaInvalid);
    let many: Vec<_> = (1..=9).map(|s| limit(QuotaClass::Uses, 1, s)).collect();
    state.refuse(put(Role::App, "portal", &many), Refusal::QuotaInvalid);
    state.run(put(Role::App, "portal", &many[..8])).unwrap();
    state.refuse(put(Role::App, "UPPER", &[good]), Refusal::NameInvalid);
}

#[test]
fn there_are_so_many_quotas_and_no_more() {
    let mut state = State::begun();
    let good = [limit(QuotaClass::Uses, 1, 1)];
    for n in 0..1_024 {
        state
            .run(put(Role::App, &format!("app-{n}"), &good))
            .unwrap();
    }
    state.refuse(put(Role::App, "one-more", &good), Refusal::QuotasFull);
    // One that is there is replaced all the same.
    state.run(put(Role::App, "app-7", &good)).unwrap();
}
