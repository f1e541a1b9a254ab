//! PutPolicy: a policy is read, held against the schema, tried on its author, sealed, replicated.

use ward_proto::admin::v1::{
    DeletePolicyRequest, DeletePolicyResponse, PutPolicyRequest, PutPolicyResponse,
};

use crate::api::call::Call;
use crate::api::convert::{self, check_id};
use crate::api::failure::Failure;
use crate::api::principal::{named, principal};
use crate::api::write::{Intent, OnConflict, propose};
use crate::command::{Command, DeletePolicy, PutEndingPolicy, PutPolicy, Refusal};
use crate::keyring::Place;
use crate::node::policies::{PutError, with_text};
use crate::policy::{
    Action, Authorized, Circumstances, Engine, Facts, PolicySet, Request, Resource,
};
use crate::state::{IdentityState, Index, Role};

/// Serves PutPolicy.
pub(crate) async fn put(
    call: &Call,
    request: PutPolicyRequest,
) -> Result<PutPolicyResponse, Failure> {
    check_form(&request.policy_id, &request.text)?;
    let action = Action::PutPolicy;
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let mut record = call.record(action.name(), &request.policy_id);
    let decide = |_barrier: &_| decide(call, &request);
    let made = propose(call, &intent, OnConflict::Retry, &mut record, decide).await;
    let (made, _durable) = call.settle(record, made).await?;
    let (revision, ends_ms) = call.node.replica.read(|index| {
        let id = &request.policy_id;
        (index.policy_revision(id), index.policy_end(id))
    });
    Ok(PutPolicyResponse {
        revision,
        ends_ms: ends_ms.unwrap_or_default(),
        applied: convert::applied(made.index),
    })
}

fn decide(call: &Call, request: &PutPolicyRequest) -> Result<(Authorized, Command), Failure> {
    let authorized = call.authorize(Action::PutPolicy, Resource::Cluster, Facts::None)?;
    let (node, id) = (&call.node, &request.policy_id);
    let (known, expected_revision, count) = node.replica.read(|index| {
        let known = index.policy(id).is_some();
        (known, index.policy_revision(id), index.policies().count())
    });
    if !known && count >= POLICIES_MAX {
        let message = "a cluster has at most 64 policies; replace one, or put several into one";
        return Err(Failure::invalid(message));
    }
    let set = with_text(node, id, &request.text)?;
    check_known(&set, node.replica.read(Index::format_version))?;
    keeps_its_author(call, set)?;
    let put = PutPolicy {
        policy_id: id.clone(),
        expected_revision,
        sealed: node.vault.seal_record(
            &Place::policy(id),
            expected_revision + 1,
            sys::clock::wall_ms(),
            request.text.as_bytes(),
        )?,
    };
    let command = match request.ttl_ms {
        0 => Command::PutPolicy(put),
        ttl_ms => Command::PutEndingPolicy(PutEndingPolicy {
            put,
            ends_ms: now_ms(call).saturating_add(ttl_ms),
        }),
    };
    Ok((authorized, command))
}

/// The state's clock decides when a policy ends, and may be ahead of this node's.
fn now_ms(call: &Call) -> u64 {
    let state_ms = call.node.replica.read(|index| index.counters().time_ms);
    sys::clock::wall_ms().max(state_ms)
}

/// Serves DeletePolicy. A `forbid` goes as a `permit` does, so it is a change like another.
pub(crate) async fn delete(
    call: &Call,
    request: DeletePolicyRequest,
) -> Result<DeletePolicyResponse, Failure> {
    let (action, policy_id) = (Action::DeletePolicy, &request.policy_id);
    check_id(policy_id)?;
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let mut record = call.record(action.name(), policy_id);
    let made = propose(call, &intent, OnConflict::Retry, &mut record, |_barrier| {
        let authorized = call.authorize(action, Resource::Cluster, Facts::None)?;
        if call
            .node
            .replica
            .read(|index| index.policy(policy_id).is_none())
        {
            return Err(Refusal::PolicyNotFound.into());
        }
        keeps_its_author(call, with_text(&call.node, policy_id, "")?)?;
        let policy_id = policy_id.clone();
        Ok((
            authorized,
            Command::DeletePolicy(DeletePolicy { policy_id }),
        ))
    })
    .await;
    let (made, _durable) = call.settle(record, made).await?;
    Ok(DeletePolicyResponse {
        applied: convert::applied(made.index),
    })
}

/// Refuses an id or a text beyond the limits.
///
/// # Errors
/// INVALID_ARGUMENT.
pub(super) fn check_form(policy_id: &str, text: &str) -> Result<(), Failure> {
    check_id(policy_id)?;
    if text.len() > TEXT_BYTES_MAX {
        let message = "a policy's text has at most 32 KiB; write several policies";
        return Err(Failure::invalid(message));
    }
    Ok(())
}

impl From<PutError> for Failure {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Refused(error) => Self::invalid(error.to_string()),
            PutError::TooLong => {
                let message = "all policies together have at most 128 KiB; shorten or replace some";
                Self::invalid(message)
            }
            PutError::Stored(failure) => failure,
        }
    }
}

/// Refuses a policy that a member of the state's format may not be able to read: there nothing at
/// all would be permitted any more.
fn check_known(set: &PolicySet, format: u32) -> Result<(), Failure> {
    let needed = set.format().map_err(PutError::Refused)?;
    match needed <= format {
        true => Ok(()),
        false => Err(Refusal::FormatNewer.into()),
    }
}

/// Refuses a policy that would keep its author from changing it again, now or when the author's
/// certificate is over: a `forbid` that is too wide could be undone by nobody. One that asks for a
/// second operator can be undone by two.
fn keeps_its_author(call: &Call, set: PolicySet) -> Result<(), Failure> {
    let author = principal(&call.node, &call.caller);
    let engine = Engine::new(set);
    for (action, lost) in [
        (Action::PutPolicy, "change no policy any more"),
        (Action::RenewCertificate, "not renew your certificate"),
    ] {
        let asked = engine.authorize(&Request {
            principal: &author,
            action,
            resource: Resource::Cluster,
            facts: Facts::None,
            circumstances: now(action.is_change()),
        });
        if asked.is_err() {
            let message = format!("with this policy you could {lost}; forbid less");
            return Err(Failure::invalid(message));
        }
    }
    let alone = engine.authorize(&Request {
        principal: &author,
        action: Action::PutPolicy,
        resource: Resource::Cluster,
        facts: Facts::None,
        circumstances: now(false),
    });
    match alone.is_ok() || has_approver(call, &engine) {
        true => Ok(()),
        false => Err(Failure::invalid(
            "with this policy you need a second operator, and there is none who could approve: let \
             one join whom you did not invite yourself",
        )),
    }
}

/// Whether there is an operator who could approve what this one asks for.
fn has_approver(call: &Call, engine: &Engine) -> bool {
    let author = call.caller.id.id();
    let others: Vec<_> = call.node.replica.read(|index| {
        let others = index.identities(Role::Operator).filter(|other| {
            let invited = index.inviters(&other.id);
            let invited = invited.iter().any(|by| by == author);
            other.state == IdentityState::Active && other.id != author && !invited
        });
        others.map(|other| other.id.clone()).collect()
    });
    others.iter().any(|other| {
        let principal = named(&call.node, Role::Operator, other);
        let asked = engine.authorize(&Request {
            principal: &principal,
            action: Action::ApproveRequest,
            resource: Resource::Cluster,
            facts: Facts::None,
            circumstances: now(false),
        });
        asked.is_ok()
    })
}

fn now(approved: bool) -> Circumstances {
    Circumstances {
        now_ms: sys::clock::wall_ms(),
        approved,
    }
}

/// Bytes of a policy's text: far more than one needs, and less than a request may have.
const TEXT_BYTES_MAX: usize = 32 * 1_024;
/// All of them are read at each change, and listed in one answer.
const POLICIES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use kms_client::reason::Reason;

    use super::*;
    use crate::policy::PolicyText;

    #[test]
    fn a_policy_that_names_a_newer_action_waits_for_the_format() {
        let new = PolicyText {
            name: "x",
            text: r#"@id("x") permit (principal, action == Ward::Action::"Sign", resource);"#,
        };
        let set = PolicySet::put(new, &[], 1).unwrap();
        let refused = check_known(&set, 1).unwrap_err();
        assert_eq!(refused.reason, Reason::VersionNewer);
        assert_eq!(check_known(&set, 2), Ok(()));
    }
}
