//! PutQuota and DeleteQuota. What was used is each node's own: a change forgives nothing.

use ward_proto::admin::v1::{
    DeleteQuotaRequest, DeleteQuotaResponse, PutQuotaRequest, PutQuotaResponse,
    QuotaClass as Class, QuotaLimit as Limit,
};

use super::list::told;
use crate::api::call::Call;
use crate::api::convert::{self, check_id};
use crate::api::failure::Failure;
use crate::api::write::{Intent, OnConflict, propose};
use crate::command::{Command, DeleteQuota, Outcome, PutQuota};
use crate::policy::{Action, Facts, Resource};
use crate::state::{QuotaClass, QuotaLimit, QuotaRecord, Role};

/// Serves PutQuota.
pub(crate) async fn put(
    call: &Call,
    request: PutQuotaRequest,
) -> Result<PutQuotaResponse, Failure> {
    let action = Action::PutQuota;
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let role = role(&request.role)?;
    check_whose(&request.id)?;
    let limits = request.limits.iter().map(limit);
    let quota = PutQuota {
        role,
        id: request.id,
        limits: limits.collect::<Result<_, _>>()?,
    };
    let mut record = call.record(action.name(), &resource(role, &quota.id));
    let made = propose(call, &intent, OnConflict::Retry, &mut record, |_barrier| {
        let authorized = call.authorize(action, Resource::Cluster, Facts::None)?;
        Ok((authorized, Command::PutQuota(quota.clone())))
    });
    let made = made.await;
    let (made, _durable) = call.settle(record, made).await?;
    let Outcome::QuotaPut { revision } = made.outcome else {
        return Err(Failure::internal("a write answered as another verb"));
    };
    let quota = QuotaRecord {
        role,
        id: quota.id,
        revision,
        limits: quota.limits,
    };
    Ok(PutQuotaResponse {
        quota: Some(told(&quota)),
        applied: convert::applied(made.index),
    })
}

/// Serves DeleteQuota.
pub(crate) async fn delete(
    call: &Call,
    request: DeleteQuotaRequest,
) -> Result<DeleteQuotaResponse, Failure> {
    let action = Action::DeleteQuota;
    let intent = Intent::new(call, action.name(), &request, request.write.as_ref())?;
    let role = role(&request.role)?;
    check_whose(&request.id)?;
    let quota = DeleteQuota {
        role,
        id: request.id,
    };
    let mut record = call.record(action.name(), &resource(role, &quota.id));
    let made = propose(call, &intent, OnConflict::Retry, &mut record, |_barrier| {
        let authorized = call.authorize(action, Resource::Cluster, Facts::None)?;
        Ok((authorized, Command::DeleteQuota(quota.clone())))
    });
    let made = made.await;
    let (made, _durable) = call.settle(record, made).await?;
    Ok(DeleteQuotaResponse {
        applied: convert::applied(made.index),
    })
}

/// What the audit record names.
fn resource(role: Role, id: &str) -> String {
    match id {
        "" => format!("quota/{role}"),
        id => format!("quota/{role}/{id}"),
    }
}

/// An id, or none for a whole role.
fn check_whose(id: &str) -> Result<(), Failure> {
    if id.is_empty() {
        return Ok(());
    }
    check_id(id)
}

/// Which roles have quotas is for apply to say; here it is a role or none.
fn role(word: &str) -> Result<Role, Failure> {
    let role: Result<kms_client::identity::Role, _> = word.parse();
    let message = "a role is one of app and operator";
    role.map(Role::from).map_err(|_| Failure::invalid(message))
}

fn limit(limit: &Limit) -> Result<QuotaLimit, Failure> {
    let class = match limit.class() {
        Class::Opens => QuotaClass::Opens,
        Class::Makes => QuotaClass::Makes,
        Class::Uses => QuotaClass::Uses,
        Class::Unspecified => {
            let message = "a limit counts opens, makes or uses; say which";
            return Err(Failure::invalid(message));
        }
    };
    Ok(QuotaLimit {
        class,
        amount: limit.amount,
        window_s: limit.window_s,
    })
}
