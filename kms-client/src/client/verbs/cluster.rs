//! The cluster's status, and gateways announcing themselves.

use ward_proto::v1;
use ward_proto::v1::cluster_service_client::ClusterServiceClient;

use super::new_intent;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::model::{ClusterStatus, GatewayRole, status_from_wire};

impl Client {
    /// Tells of nodes and gateways, as the node that answers sees them.
    ///
    /// # Errors
    ///
    /// As every verb: what no node answered before the deadline.
    pub async fn cluster_status(&self) -> Result<ClusterStatus, Error> {
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(v1::GetClusterStatusRequest {});
            async move {
                ClusterServiceClient::new(attempt.channel)
                    .get_cluster_status(request)
                    .await
            }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        let status = status_from_wire(answer)?;
        self.inner.learn(&status).await;
        Ok(status)
    }

    /// Records that the calling gateway runs, and where its tunnel listener is if it is a core.
    ///
    /// # Errors
    ///
    /// `DENIED` when the caller is no gateway.
    pub async fn announce_gateway(
        &self,
        role: GatewayRole,
        address: Option<&str>,
    ) -> Result<(), Error> {
        let message = v1::AnnounceGatewayRequest {
            role: role.as_str().into(),
            address: address.unwrap_or_default().into(),
            pid: std::process::id(),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move {
                ClusterServiceClient::new(attempt.channel)
                    .announce_gateway(request)
                    .await
            }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        Ok(())
    }
}
