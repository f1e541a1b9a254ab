//! A second operator: who can be one, and what an approval is good for.

use super::*;
use crate::command::create_join_token::token_id;
use crate::command::{ApproveRequest, Approved, PutQuota, RejectRequest, RequestApproval};
use crate::state::{
    APPROVAL_LIFE_MS, ApprovalId, IdentityKey, IdentityRecord, IdentityState, QuotaClass,
    QuotaLimit,
};

const ID: ApprovalId = [7; 16];

/// A cluster with these operators; each one's key is its first letter.
fn operators(ids: &[&str]) -> State {
    let mut state = State::begun();
    for id in ids {
        join(&mut state, id);
    }
    state
}

fn join(state: &mut State, id: &str) {
    let record = IdentityRecord {
        role: Role::Operator,
        id: id.to_owned(),
        state: IdentityState::Active,
        keys: vec![IdentityKey {
            spki_sha256: key_of(id),
            not_after_ms: u64::MAX,
        }],
    };
    let id = RecordId::Identity(Role::Operator, id.to_owned());
    state.index.put(id, Some(Record::Identity(record)));
}

fn key_of(id: &str) -> [u8; 32] {
    [id.as_bytes()[0]; 32]
}

/// What an operator does.
fn by(state: &mut State, operator: &str, command: Command) -> Result<Outcome, Refusal> {
    let guard = Guard {
        policy_epoch: state.index.counters().policy_epoch,
        role: Role::Operator,
        id: operator.to_owned(),
        spki_sha256: key_of(operator),
    };
    let proposal = Proposal::internal(state.now_ms, command);
    let guard = Some(guard);
    state.propose(Proposal { guard, ..proposal }).0
}

fn change() -> Command {
    Command::PutQuota(PutQuota {
        role: Role::App,
        id: "portal".to_owned(),
        limits: vec![QuotaLimit {
            class: QuotaClass::Uses,
            amount: 1,
            window_s: 1,
        }],
    })
}

fn asked(state: &State, id: ApprovalId) -> Command {
    let former = state.index.approval(&id);
    let revision = former.map_or(1, |former| former.sealed.revision + 1);
    Command::RequestApproval(Box::new(RequestApproval {
        approval_id: id,
        message: "PutQuotaRequest".to_owned(),
        resource: "quota/app/portal".to_owned(),
        request_sha256: [id[0]; 32],
        sealed: record(&Place::approval(&id), revision),
        target_revision: change().target_revision(&state.index),
    }))
}

fn ask(state: &mut State, operator: &str) {
    let command = asked(state, ID);
    by(state, operator, command).unwrap();
}

fn approval(state: &State) -> Command {
    let waiting = state.index.approval(&ID).unwrap();
    Command::ApproveRequest(ApproveRequest {
        approval_id: ID,
        request_sha256: waiting.request_sha256,
        target_revision: waiting.target_revision,
        expires_ms: waiting.expires_ms,
        spki_sha256: [0; 32],
    })
}

fn approve(state: &mut State, operator: &str) -> Result<Outcome, Refusal> {
    let Command::ApproveRequest(command) = approval(state) else {
        panic!("another command");
    };
    let spki_sha256 = key_of(operator);
    let command = ApproveRequest {
        spki_sha256,
        ..command
    };
    by(state, operator, Command::ApproveRequest(command))
}

fn approved() -> Command {
    Command::Approved(Approved {
        approval_id: ID,
        command: Box::new(change()),
    })
}

fn wait(state: &mut State, ms: u64) {
    state.now_ms += ms;
    let approval_id = [0; 16];
    let nothing = Command::RejectRequest(RejectRequest { approval_id });
    assert_eq!(state.run(nothing), Err(Refusal::ApprovalNotFound));
}

#[test]
fn what_another_operator_approved_is_done_once() {
    let mut state = operators(&["alice", "bob"]);
    ask(&mut state, "alice");
    assert_eq!(
        by(&mut state, "alice", approved()),
        Err(Refusal::ApprovalNotFound),
        "nobody approved it yet"
    );
    assert_eq!(approve(&mut state, "bob"), Ok(Outcome::RequestApproved));
    assert_eq!(
        by(&mut state, "bob", approved()),
        Err(Refusal::ApprovalNotFound),
        "it is not what bob asked for"
    );
    let done = by(&mut state, "alice", approved());
    assert_eq!(done, Ok(Outcome::QuotaPut { revision: 1 }));
    assert!(state.index.approval(&ID).is_none());
    assert_eq!(
        by(&mut state, "alice", approved()),
        Err(Refusal::ApprovalNotFound),
        "it is used up"
    );
    assert_eq!(state.index.quota(Role::App, "portal").unwrap().revision, 1);
}

#[test]
fn nobody_approves_what_they_or_their_inviter_asked_for() {
    let mut state = operators(&["alice", "bob"]);
    // Alice invites carol.
    let invite = token(9, Role::Operator, "carol", u64::MAX);
    by(&mut state, "alice", invite).unwrap();
    state.run(consume(9, b'c', Role::Operator)).unwrap();
    assert_eq!(state.index.inviters("carol"), ["alice"]);

    ask(&mut state, "alice");
    for operator in ["alice", "carol"] {
        assert_eq!(
            approve(&mut state, operator),
            Err(Refusal::ApproverUnfit),
            "{operator}"
        );
    }
    assert_eq!(approve(&mut state, "bob"), Ok(Outcome::RequestApproved));
    // What carol asks for alice may approve: it is the other way round.
    let asked_by_carol = asked(&state, [8; 16]);
    by(&mut state, "carol", asked_by_carol).unwrap();
}

#[test]
fn who_approved_an_invitation_invited_too() {
    let mut state = operators(&["alice", "bob", "dora"]);
    let command = RequestApproval {
        approval_id: ID,
        message: "CreateJoinTokenRequest".to_owned(),
        resource: "operator/carol".to_owned(),
        request_sha256: [1; 32],
        sealed: record(&Place::approval(&ID), 1),
        target_revision: 0,
    };
    let command = Command::RequestApproval(Box::new(command));
    by(&mut state, "alice", command).unwrap();
    approve(&mut state, "bob").unwrap();
    let invite = Command::Approved(Approved {
        approval_id: ID,
        command: Box::new(token(9, Role::Operator, "carol", u64::MAX)),
    });
    by(&mut state, "alice", invite).unwrap();
    let id = token_id(&[9; 32]);
    assert_eq!(state.index.token_makers(&id).unwrap(), &["alice", "bob"]);
}

#[test]
fn an_approval_is_for_what_stood_there() {
    let mut state = operators(&["alice", "bob"]);
    ask(&mut state, "alice");
    approve(&mut state, "bob").unwrap();
    by(&mut state, "bob", change()).unwrap();
    assert_eq!(by(&mut state, "alice", approved()), Err(Refusal::Conflict));
    // Asked again, it waits again: bob approved another change than this.
    ask(&mut state, "alice");
    assert!(state.index.approval(&ID).unwrap().approver.is_none());
    approve(&mut state, "bob").unwrap();
    let done = by(&mut state, "alice", approved());
    assert_eq!(done, Ok(Outcome::QuotaPut { revision: 2 }));
}

#[test]
fn an_approval_is_for_what_was_signed() {
    let mut state = operators(&["alice", "bob"]);
    ask(&mut state, "alice");
    let Command::ApproveRequest(signed) = approval(&state) else {
        panic!("another command");
    };
    let (request_sha256, expires_ms) = ([0xee; 32], signed.expires_ms + 1);
    for wrong in [
        ApproveRequest {
            request_sha256,
            ..signed.clone()
        },
        ApproveRequest {
            target_revision: 99,
            ..signed.clone()
        },
        ApproveRequest {
            expires_ms,
            ..signed
        },
    ] {
        let refused = by(&mut state, "bob", Command::ApproveRequest(wrong));
        assert_eq!(refused, Err(Refusal::Conflict));
    }
}

#[test]
fn an_approver_who_is_honoured_no_longer_has_approved_nothing() {
    let mut state = operators(&["alice", "bob"]);
    ask(&mut state, "alice");
    approve(&mut state, "bob").unwrap();
    let id = RecordId::Identity(Role::Operator, "bob".to_owned());
    let Some(Record::Identity(mut bob)) = state.index.put(id.clone(), None) else {
        panic!("no bob");
    };
    bob.keys[0].spki_sha256 = [0xee; 32];
    state.index.put(id, Some(Record::Identity(bob)));
    let refused = by(&mut state, "alice", approved());
    assert_eq!(refused, Err(Refusal::ApproverUnfit));
    // Asked again, it waits for another one.
    ask(&mut state, "alice");
    assert!(state.index.approval(&ID).unwrap().approver.is_none());
}

#[test]
fn a_request_waits_for_a_day_and_is_gone() {
    let mut state = operators(&["alice", "bob"]);
    ask(&mut state, "alice");
    let expires_ms = state.index.approval(&ID).unwrap().expires_ms;
    wait(&mut state, APPROVAL_LIFE_MS - 1);
    // Asking again neither prolongs nor resets it.
    ask(&mut state, "alice");
    assert_eq!(state.index.approval(&ID).unwrap().expires_ms, expires_ms);
    approve(&mut state, "bob").unwrap();
    wait(&mut state, 1);
    assert!(state.index.approval(&ID).is_none(), "swept");
    let refused = by(&mut state, "alice", approved());
    assert_eq!(refused, Err(Refusal::ApprovalNotFound));
}

#[test]
fn a_rejected_request_waits_no_longer() {
    let mut state = operators(&["alice", "bob"]);
    ask(&mut state, "alice");
    approve(&mut state, "bob").unwrap();
    let reject = || Command::RejectRequest(RejectRequest { approval_id: ID });
    assert_eq!(
        by(&mut state, "bob", reject()),
        Ok(Outcome::RequestRejected)
    );
    assert_eq!(
        by(&mut state, "bob", reject()),
        Err(Refusal::ApprovalNotFound)
    );
    let refused = by(&mut state, "alice", approved());
    assert_eq!(refused, Err(Refusal::ApprovalNotFound));
}

#[test]
fn one_operator_cannot_keep_the_others_from_asking() {
    let mut state = operators(&["alice", "bob"]);
    for number in 0..16 {
        let command = asked(&state, [number; 16]);
        by(&mut state, "alice", command).unwrap();
    }
    let command = asked(&state, [99; 16]);
    assert_eq!(
        by(&mut state, "alice", command.clone()),
        Err(Refusal::ApprovalsFull)
    );
    by(&mut state, "bob", command).unwrap();
}

#[test]
fn an_approval_holds_no_other_approval_and_no_refused_change_uses_it_up() {
    let mut state = operators(&["alice", "bob"]);
    ask(&mut state, "alice");
    approve(&mut state, "bob").unwrap();
    let nested = Command::Approved(Approved {
        approval_id: ID,
        command: Box::new(approved()),
    });
    assert_eq!(
        by(&mut state, "alice", nested),
        Err(Refusal::ApprovalNotFound)
    );
    let Command::PutQuota(mut bad) = change() else {
        panic!("another command");
    };
    bad.limits.clear();
    let bad = Command::Approved(Approved {
        approval_id: ID,
        command: Box::new(Command::PutQuota(bad)),
    });
    assert_eq!(by(&mut state, "alice", bad), Err(Refusal::QuotaInvalid));
    by(&mut state, "alice", approved()).unwrap();
}

#[test]
fn only_operators_ask_and_approve() {
    let mut state = operators(&["alice"]);
    let command = asked(&state, ID);
    state.refuse(command, Refusal::IdentityNotFound);
}
