//! A device as this node knows it, and in the words of the policies, whether or not it is enrolled.

use kms_client::reason::Reason;

use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::policy::{DeviceRef, Resource};
use crate::state::{DeviceRecord, Index};

/// A device that was asked about. What is decided for it and what is told of it come from the same
/// look at the state.
pub(crate) struct DeviceResource {
    id: String,
    record: Option<DeviceRecord>,
}

/// The device as this node knows it now.
pub(crate) fn of(call: &Call, device_id: &str) -> DeviceResource {
    let replica = &call.node.replica;
    replica.read(|index| within(index, device_id))
}

/// The device as a state has it.
pub(super) fn within(index: &Index, device_id: &str) -> DeviceResource {
    DeviceResource {
        id: device_id.to_owned(),
        record: index.device(device_id).cloned(),
    }
}

impl DeviceResource {
    /// For the engine.
    pub(crate) fn as_resource(&self) -> Resource<'_> {
        let gateway = self.record.as_ref().map(|device| device.gateway.as_str());
        Resource::Device(DeviceRef {
            id: &self.id,
            gateway: gateway.filter(|gateway| !gateway.is_empty()),
        })
    }

    /// What is stored of it.
    ///
    /// # Errors
    /// DEVICE_NOT_FOUND.
    pub(crate) fn record(&self) -> Result<&DeviceRecord, Failure> {
        self.record.as_ref().ok_or_else(|| {
            let message = "no such device; list the devices for what there is";
            Failure::new(Reason::DeviceNotFound, message)
        })
    }
}
