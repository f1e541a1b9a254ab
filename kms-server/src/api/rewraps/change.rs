//! StartRewrap and CancelRewrap.

use ward_proto::admin::v1::{
    CancelRewrapRequest, CancelRewrapResponse, Rewrap, StartRewrapRequest, StartRewrapResponse,
};
use ward_proto::v1::{KeyRef, WriteOptions};

use super::told;
use crate::api::approvals::WriteRequest;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::key_ref::FoundKey;
use crate::api::permitted::{Permitted, asked_for, permitted};
use crate::api::write::{Intent, OnConflict, key_of, propose_noting};
use crate::audit::AuditRecord;
use crate::command::{CancelRewrap, Command, StartRewrap};
use crate::policy::{Action, Facts};
use crate::replica::ReadBarrier;
use crate::state::{KeyUsage, REWRAP_RATE_MAX};

/// Serves StartRewrap.
pub(crate) async fn start(
    call: &Call,
    request: StartRewrapRequest,
) -> Result<StartRewrapResponse, Failure> {
    if request.rate > REWRAP_RATE_MAX {
        let message = "a rate is at most 100 000 data keys a second";
        return Err(Failure::invalid(message));
    }
    let (rate, by) = (request.rate, call.caller.id.to_string());
    let command = |key: &FoundKey| {
        // Of a key that wraps nothing, or may not be used, nothing can be moved.
        key.usable(KeyUsage::EncryptDecrypt)?;
        Ok(Command::StartRewrap(StartRewrap {
            key_id: key.key_id,
            target: key.version.0,
            rate,
            by: by.clone(),
        }))
    };
    let of = (request.key.as_ref(), request.write.as_ref());
    let (rewrap, index) = carry_out(call, Action::StartRewrap, of, &request, command).await?;
    Ok(StartRewrapResponse {
        rewrap: Some(rewrap),
        applied: convert::applied(index),
    })
}

/// Serves CancelRewrap.
pub(crate) async fn cancel(
    call: &Call,
    request: CancelRewrapRequest,
) -> Result<CancelRewrapResponse, Failure> {
    let command = |key: &FoundKey| {
        let key_id = key.key_id;
        Ok(Command::CancelRewrap(CancelRewrap { key_id }))
    };
    let of = (request.key.as_ref(), request.write.as_ref());
    let (rewrap, index) = carry_out(call, Action::CancelRewrap, of, &request, command).await?;
    Ok(CancelRewrapResponse {
        rewrap: Some(rewrap),
        applied: convert::applied(index),
    })
}

/// Proposes the command for the key as it was found and permitted; answers the job as it is then.
async fn carry_out<M: WriteRequest>(
    call: &Call,
    action: Action,
    (key, write): (Option<&KeyRef>, Option<&WriteOptions>),
    request: &M,
    command: impl Fn(&FoundKey) -> Result<Command, Failure>,
) -> Result<(Rewrap, u64), Failure> {
    let intent = Intent::new(call, action.name(), request, write)?;
    let mut record = call.record(action.name(), "");
    asked_for(&mut record, key);
    let decide = |barrier: &ReadBarrier, record: &mut AuditRecord| {
        let Permitted {
            key: found,
            authorized,
        } = permitted(call, barrier, action, key, Facts::None, record)?;
        Ok((authorized, command(&found)?))
    };
    let made = propose_noting(call, &intent, OnConflict::Retry, &mut record, decide).await;
    let made = made.and_then(|made| {
        let key_id = key_of(&made.outcome)?;
        let told = call.node.replica.read(|index| {
            let job = index.rewrap(&key_id)?;
            Some(told::rewrap(index, job))
        });
        let told = told.ok_or_else(|| Failure::internal("a job that was written is not there"))?;
        Ok((told, made.index))
    });
    Ok(call.settle(record, made).await?.0)
}
