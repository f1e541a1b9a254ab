//! A device in the words of the policies, whether or not it is enrolled.

use crate::api::call::Call;
use crate::policy::{DeviceRef, Resource};

/// A device and the gateway that speaks for it.
pub(crate) struct DeviceResource {
    id: String,
    gateway: Option<String>,
}

/// The device as this node knows it now.
pub(crate) fn of(call: &Call, device_id: &str) -> DeviceResource {
    let gateway = call.node.replica.read(|index| {
        let device = index.device(device_id)?;
        (!device.gateway.is_empty()).then(|| device.gateway.clone())
    });
    DeviceResource {
        id: device_id.to_owned(),
        gateway,
    }
}

impl DeviceResource {
    /// For the engine.
    pub(crate) fn as_resource(&self) -> Resource<'_> {
        Resource::Device(DeviceRef {
            id: &self.id,
            gateway: self.gateway.as_deref(),
        })
    }
}
