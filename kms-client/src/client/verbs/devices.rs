//! Devices: enrol, read.

use tonic::transport::Channel;
use ward_proto::admin::v1 as admin;
use ward_proto::admin::v1::device_admin_service_client::DeviceAdminServiceClient;
use ward_proto::v1;
use ward_proto::v1::device_service_client::DeviceServiceClient;

use super::new_intent;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::limits::{ANSWER_BYTES_MAX, PAGE_SIZE};
use crate::model::{Device, NewDevice, device_from_wire, inventory_to_wire};

impl Client {
    /// Enrols a device and makes its key, `device/<id>`. An operator verb.
    ///
    /// # Errors
    ///
    /// `DEVICE_EXISTS` when it is enrolled, `INVALID_ARGUMENT` when the id is none.
    pub async fn enroll_device(&self, device: &NewDevice) -> Result<Device, Error> {
        let message = admin::EnrollDeviceRequest {
            device_id: device.id.clone(),
            inventory: Some(inventory_to_wire(&device.inventory)),
            gateway: device.gateway.clone().unwrap_or_default(),
            write: new_intent()?,
            offline_allowance_s: device
                .offline_allowance
                .map(|allowance| u32::try_from(allowance.as_secs()).unwrap_or(u32::MAX)),
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move {
                DeviceAdminServiceClient::new(attempt.channel)
                    .enroll_device(request)
                    .await
            }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        device_from_wire(answer.device)
    }

    /// Describes one device, at least as new as anything this client has seen.
    ///
    /// # Errors
    ///
    /// `DEVICE_NOT_FOUND`.
    pub async fn describe_device(&self, device_id: &str) -> Result<Device, Error> {
        let device_id = device_id.to_owned();
        let message = v1::DescribeDeviceRequest {
            device_id,
            read: self.inner.read_options(),
        };
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move { reader(attempt.channel).describe_device(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        device_from_wire(answer.device)
    }

    /// Lists all devices, by id.
    ///
    /// # Errors
    ///
    /// As every verb: what no node answered before the deadline.
    pub async fn list_devices(&self) -> Result<Vec<Device>, Error> {
        let mut devices = Vec::new();
        let mut page_token = String::new();
        loop {
            let read = self.inner.read_options();
            let message = v1::ListDevicesRequest {
                page_size: PAGE_SIZE,
                page_token,
                read,
            };
            let answer = self.inner.call(Route::AnyNode, |attempt| {
                let request = attempt.request(message.clone());
                async move { reader(attempt.channel).list_devices(request).await }
            });
            let answer = answer.await?;
            self.inner.saw(answer.applied);
            for device in answer.devices {
                devices.push(device_from_wire(Some(device))?);
            }
            if answer.next_page_token.is_empty() {
                return Ok(devices);
            }
            page_token = answer.next_page_token;
        }
    }
}

fn reader(channel: Channel) -> DeviceServiceClient<Channel> {
    DeviceServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}
