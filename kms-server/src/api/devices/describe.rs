//! DescribeDevice: tells about one device; perhaps stale, at least as fresh as asked.

use ward_proto::v1::{DescribeDeviceRequest, DescribeDeviceResponse};

use super::{inventory, resource};
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::audit::AuditRecord;
use crate::policy::{Action, Facts};

/// Serves DescribeDevice.
pub(crate) async fn describe(
    call: &Call,
    request: DescribeDeviceRequest,
) -> Result<DescribeDeviceResponse, Failure> {
    call.wait_for(request.read.as_ref().map_or(0, |read| read.min_index))
        .await?;
    let mut record = call.record(Action::DescribeDevice.name(), &request.device_id);
    let found = find(call, &request.device_id, &mut record);
    let (answer, _durable) = call.settle(record, found).await?;
    Ok(answer)
}

fn find(
    call: &Call,
    device_id: &str,
    record: &mut AuditRecord,
) -> Result<DescribeDeviceResponse, Failure> {
    let applied = convert::applied(call.node.replica.applied_index());
    let (action, device) = (Action::DescribeDevice, resource::of(call, device_id));
    let _authorized = call.permit(record, action, device.as_resource(), Facts::None)?;
    Ok(DescribeDeviceResponse {
        device: Some(inventory::opened(call, device.record()?)?),
        applied,
    })
}
