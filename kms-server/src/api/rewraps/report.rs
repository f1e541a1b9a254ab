//! ReportArchive: a gateway tells what its archive holds and how far it is with each job, and asks
//! which jobs run. The leader writes it down; whoever was asked answers the jobs.

use envelope::id::KeyId;
use serde::{Deserialize, Serialize};
use ward_proto::v1::{
    self as proto, ReportArchiveRequest, ReportArchiveResponse, RunningRewrap, ToldRewrap,
};

use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::api::forward::{self, Handed, HandedCaller};
use crate::api::write::{Intent, OnConflict, propose};
use crate::command::{self, Command, REPORT_KEYS_MAX, REPORT_RANGES_MAX, ReportArchive};
use crate::policy::{Action, Facts, Resource};
use crate::state::{CensusRange, Index, RewrapRecord};

/// What a gateway tells.
#[derive(Serialize, Deserialize)]
pub(crate) struct Report(ReportArchive);

/// Serves ReportArchive. It comes every few seconds from each gateway and gives away nothing
/// secret, so what is permitted leaves no audit record.
pub(crate) async fn report(
    call: &Call,
    request: ReportArchiveRequest,
) -> Result<ReportArchiveResponse, Failure> {
    let index = match request.report {
        Some(report) => {
            let report = Report(read(call, report)?);
            let handed = Handed::ReportArchive(HandedCaller::of(call), report);
            let (_, index) = forward::to_leader(&call.node, handed).await?;
            call.wait_for(index).await?;
            index
        }
        None => {
            permitted(call).await?;
            call.node.replica.applied_index()
        }
    };
    let running = |index: &Index| index.running_rewraps().map(job).collect();
    Ok(ReportArchiveResponse {
        rewraps: call.node.replica.read(running),
        applied: convert::applied(index),
    })
}

/// Who may not tell may not ask either; a refusal is recorded.
async fn permitted(call: &Call) -> Result<(), Failure> {
    call.barrier().await?;
    let action = Action::ReportArchive;
    match call.authorize(action, Resource::Cluster, Facts::None) {
        Ok(_) => Ok(()),
        Err(refused) => {
            let record = call.record(action.name(), "cluster");
            let ((), _durable) = call.settle(record, Err(refused)).await?;
            Ok(())
        }
    }
}

/// Records it, on the leader.
///
/// # Errors
/// DENIED for callers that are no core gateways.
pub(crate) async fn on_leader(call: &Call, report: Report) -> Result<u64, Failure> {
    let action = Action::ReportArchive;
    let mut record = call.record(action.name(), call.caller.id.id());
    let told = ReportArchive {
        // Nobody tells for another one.
        gateway_id: call.caller.id.id().to_owned(),
        ..report.0
    };
    let (intent, again) = (Intent::repeatable(), OnConflict::Retry);
    let made = propose(call, &intent, again, &mut record, |_barrier| {
        let authorized = call.authorize(action, Resource::Cluster, Facts::None)?;
        Ok((authorized, Command::ReportArchive(Box::new(told.clone()))))
    });
    match made.await {
        Ok(made) => Ok(made.index),
        Err(refused) => Ok(call.settle(record, Err(refused)).await?.0),
    }
}

fn read(call: &Call, report: proto::ArchiveReport) -> Result<ReportArchive, Failure> {
    let ranges: usize = report.keys.iter().map(|told| told.ranges.len()).sum();
    if report.keys.len() > REPORT_KEYS_MAX || ranges > REPORT_RANGES_MAX {
        let message = "a report tells of at most 256 keys and 4 096 ranges; send several";
        return Err(Failure::invalid(message));
    }
    let session = report.session.as_ref().try_into();
    let keys = report.keys.into_iter().map(read_key);
    let rewraps = report.rewraps.into_iter().map(read_rewrap);
    Ok(ReportArchive {
        gateway_id: call.caller.id.id().to_owned(),
        session: session.map_err(|_| Failure::invalid("a session is named by 16 bytes"))?,
        whole: report.whole,
        damaged: report.damaged,
        keys: keys.collect::<Result<_, _>>()?,
        rewraps: rewraps.collect::<Result<_, _>>()?,
    })
}

fn read_key(told: proto::ToldKey) -> Result<command::ToldKey, Failure> {
    let range = |range: proto::CensusRange| CensusRange {
        first: range.first,
        last: range.last,
        count: range.count,
    };
    Ok(command::ToldKey {
        key_id: key_id(&told.key_id)?,
        ranges: told.ranges.into_iter().map(range).collect(),
    })
}

fn read_rewrap(told: ToldRewrap) -> Result<command::ToldRewrap, Failure> {
    Ok(command::ToldRewrap {
        key_id: key_id(&told.key_id)?,
        number: told.number,
        left: told.left,
        leased: told.leased,
        cursor: told.cursor,
        failed: told.failed,
        reason: told.reason,
    })
}

fn key_id(bytes: &[u8]) -> Result<KeyId, Failure> {
    KeyId::try_from(bytes).map_err(|_| Failure::invalid("a key id has 16 bytes"))
}

fn job(job: &RewrapRecord) -> RunningRewrap {
    RunningRewrap {
        key_id: bytes::Bytes::copy_from_slice(job.key_id.as_bytes()),
        number: job.number,
        target_version: job.target,
        rate: job.rate,
    }
}
