//! DescribeDevice: tells about one device; perhaps stale, at least as fresh as asked.

use kms_client::reason::Reason;
use ward_proto::v1::{DescribeDeviceRequest, DescribeDeviceResponse};

use super::inventory;
use crate::api::call::Call;
use crate::api::convert;
use crate::api::failure::Failure;
use crate::audit::AuditRecord;
use crate::policy::{Action, DeviceRef, Facts, Resource};

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
    let known = call
        .node
        .replica
        .read(|index| index.device(device_id).cloned());
    let gateway = known.as_ref().map(|device| device.gateway.as_str());
    let gateway = gateway.filter(|gateway| !gateway.is_empty());
    let resource = Resource::Device(DeviceRef {
        id: device_id,
        gateway,
    });
    let authorized = call.authorize(Action::DescribeDevice, resource, Facts::None)?;
    record.policies = authorized.policies().to_vec();
    let known = known.ok_or_else(|| {
        Failure::new(
            Reason::DeviceNotFound,
            "no such device; list the devices for what there is",
        )
    })?;
    Ok(DescribeDeviceResponse {
        device: Some(inventory::opened(call, &known)?),
        applied,
    })
}
