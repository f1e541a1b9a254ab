//! Containing devices: operators order, gateways hold leases and acknowledge.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tonic::transport::Channel;
use ward_proto::admin::v1 as admin;
use ward_proto::admin::v1::device_admin_service_client::DeviceAdminServiceClient;
use ward_proto::admin::v1::gateway_admin_service_client::GatewayAdminServiceClient;
use ward_proto::v1;
use ward_proto::v1::gateway_service_client::GatewayServiceClient;

use super::new_intent;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::limits::CONTAINMENT_WAIT_MAX;
use crate::model::{
    ContainOrder, ContainmentReport, Device, Lease, device_from_wire, level_to_wire,
    report_from_wire,
};

impl Client {
    /// Orders how far a device is contained, in place of the order that stood. Answers after at
    /// most a second; ask on with
    /// [`describe_containment`](Self::describe_containment) while it is pending. An operator verb.
    ///
    /// ```no_run
    /// # async fn example(client: kms_client::Client) -> kms_client::Result<()> {
    /// use kms_client::model::{ContainLevel, ContainOrder};
    ///
    /// let order = ContainOrder::of(ContainLevel::Isolate);
    /// let report = client.contain_device("mon-1", &order).await?;
    /// for gateway in &report.pending {
    ///     println!("waits for {}, {:?} at most", gateway.gateway_id, gateway.remaining);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `DEVICE_NOT_FOUND`, `DEVICE_REVOKED` for a device that was revoked for good,
    /// `INVALID_ARGUMENT` for services at any level but restrict.
    pub async fn contain_device(
        &self,
        device_id: &str,
        order: &ContainOrder,
    ) -> Result<ContainmentReport, Error> {
        let message = admin::ContainDeviceRequest {
            device_id: device_id.into(),
            level: level_to_wire(order.level).into(),
            services: order.services.clone(),
            case_id: order.case_id.clone().unwrap_or_default(),
            wait_ms: wait_ms(CONTAINMENT_WAIT_MAX),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).contain_device(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        report_from_wire(device_from_wire(answer.device)?, answer.progress)
    }

    /// Revokes a device for good: its flows are cut, its identity and its certificates count for
    /// nothing, no data key is made for it. What was archived of it stays readable. Answers as
    /// [`contain_device`](Self::contain_device). An operator verb.
    ///
    /// # Errors
    ///
    /// `DEVICE_NOT_FOUND`.
    pub async fn revoke_device(
        &self,
        device_id: &str,
        case_id: Option<&str>,
    ) -> Result<ContainmentReport, Error> {
        let message = admin::RevokeDeviceRequest {
            device_id: device_id.into(),
            case_id: case_id.unwrap_or_default().into(),
            wait_ms: wait_ms(CONTAINMENT_WAIT_MAX),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).revoke_device(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        report_from_wire(device_from_wire(answer.device)?, answer.progress)
    }

    /// Ends the order that stands for a device. An operator verb.
    ///
    /// # Errors
    ///
    /// `DEVICE_NOT_FOUND`, `DEVICE_REVOKED`: a revocation never ends.
    pub async fn release_device(&self, device_id: &str) -> Result<Device, Error> {
        let message = admin::ReleaseDeviceRequest {
            device_id: device_id.into(),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).release_device(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        device_from_wire(answer.device)
    }

    /// Sets for how long gateways that have lost the KMS go on for a device: whole seconds, at
    /// most 24 hours. An operator verb.
    ///
    /// # Errors
    ///
    /// `DEVICE_NOT_FOUND`, `DEVICE_REVOKED`, `INVALID_ARGUMENT` beyond 24 hours, `CONFLICT` while
    /// an order is pending.
    pub async fn set_offline_allowance(
        &self,
        device_id: &str,
        allowance: Duration,
    ) -> Result<Device, Error> {
        let message = admin::SetOfflineAllowanceRequest {
            device_id: device_id.into(),
            offline_allowance_s: u32::try_from(allowance.as_secs()).unwrap_or(u32::MAX),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move {
                operator(attempt.channel)
                    .set_offline_allowance(request)
                    .await
            }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        device_from_wire(answer.device)
    }

    /// Tells how far the order that stands for a device is carried out; waits for its completion,
    /// at most `wait` and at most a second. An operator verb.
    ///
    /// # Errors
    ///
    /// `DEVICE_NOT_FOUND`.
    pub async fn describe_containment(
        &self,
        device_id: &str,
        wait: Duration,
    ) -> Result<ContainmentReport, Error> {
        let message = admin::DescribeContainmentRequest {
            device_id: device_id.into(),
            wait_ms: wait_ms(wait),
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move {
                operator(attempt.channel)
                    .describe_containment(request)
                    .await
            }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        report_from_wire(device_from_wire(answer.device)?, answer.progress)
    }

    /// Revokes a gateway that is lost, stolen or taken out of use: it gets no lease, certificate or
    /// answer any more. Orders wait for it once more, until its last lease and the offline
    /// allowances have run out, and then never again. An operator verb.
    ///
    /// # Errors
    ///
    /// `GATEWAY_NOT_FOUND`.
    pub async fn revoke_gateway(&self, gateway_id: &str) -> Result<(), Error> {
        let message = admin::RevokeGatewayRequest {
            gateway_id: gateway_id.into(),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move {
                GatewayAdminServiceClient::new(attempt.channel)
                    .revoke_gateway(request)
                    .await
            }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        Ok(())
    }

    /// Gets a lease: leave to forward until it ends. For gateways alone.
    ///
    /// It must not be used before every event of [`watch`](Self::watch) up to its index is carried
    /// out.
    ///
    /// # Errors
    ///
    /// `DENIED` when the caller is no gateway, `NOT_LINEARIZABLE` and the like when no node
    /// reaches a majority.
    pub async fn renew_lease(&self) -> Result<Lease, Error> {
        // Written before each attempt leaves; the answer belongs to the last one.
        let sent_at_ns = AtomicU64::new(0);
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(v1::RenewLeaseRequest {});
            let now_ns = u64::try_from(sys::clock::boottime().as_nanos()).unwrap_or(u64::MAX);
            sent_at_ns.store(now_ns, Ordering::Relaxed);
            async move {
                GatewayServiceClient::new(attempt.channel)
                    .renew_lease(request)
                    .await
            }
        });
        let answer = answer.await?;
        Ok(Lease {
            index: answer.index,
            sent_at: Duration::from_nanos(sent_at_ns.into_inner()),
            duration: Duration::from_millis(answer.duration_ms),
        })
    }

    /// Says that against this order nothing of the device is forwarded any more. For gateways
    /// alone; saying it again changes nothing.
    ///
    /// # Errors
    ///
    /// `DENIED` when the caller is no gateway, `DEVICE_NOT_FOUND`, `CONFLICT` for an epoch that no
    /// order has had.
    pub async fn acknowledge_containment(&self, device_id: &str, epoch: u64) -> Result<(), Error> {
        let message = v1::AcknowledgeContainmentRequest {
            device_id: device_id.into(),
            epoch,
        };
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move {
                GatewayServiceClient::new(attempt.channel)
                    .acknowledge_containment(request)
                    .await
            }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        Ok(())
    }
}

fn operator(channel: Channel) -> DeviceAdminServiceClient<Channel> {
    DeviceAdminServiceClient::new(channel)
}

fn wait_ms(wait: Duration) -> u32 {
    u32::try_from(wait.min(CONTAINMENT_WAIT_MAX).as_millis()).unwrap_or(u32::MAX)
}
