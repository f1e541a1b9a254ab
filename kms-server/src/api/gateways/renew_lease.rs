//! RenewLease: leave to forward, behind a read barrier that began after the call arrived.
//!
//! A node that is cut off from the cluster cannot pass one, so an order that it does not know
//! cannot be outlived by leases that it grants.

use ward_proto::v1::RenewLeaseResponse;

use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::policy::{Action, Facts, Resource};

/// Serves RenewLease. It gives away nothing secret and comes every few seconds from each gateway,
/// so a lease that is granted leaves no audit record: devices do not stand still because an audit
/// log is full.
pub(crate) async fn renew(call: &Call) -> Result<RenewLeaseResponse, Failure> {
    match granted(call).await {
        Ok(lease) => Ok(lease),
        Err(refused) => {
            let record = call.record(Action::RenewLease.name(), "cluster");
            let (lease, _durable) = call.settle(record, Err(refused)).await?;
            Ok(lease)
        }
    }
}

async fn granted(call: &Call) -> Result<RenewLeaseResponse, Failure> {
    call.barrier().await?;
    call.authorize(Action::RenewLease, Resource::Cluster, Facts::None)
        .map(drop)?;
    let duration = call.node.waits.lease();
    Ok(RenewLeaseResponse {
        // Read after the barrier: every change of a device that was answered before the call
        // arrived stands there or below.
        index: call.node.replica.devices_index(),
        duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
    })
}
