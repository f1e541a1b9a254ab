//! `ward.v1.GatewayService`: leases and acknowledgements.

use tonic::{Request, Response, Status};
use ward_proto::v1::gateway_service_server::GatewayService;
use ward_proto::v1::{
    AcknowledgeContainmentRequest, AcknowledgeContainmentResponse, RenewLeaseRequest,
    RenewLeaseResponse,
};

use super::Api;
use crate::api::call::Call;
use crate::api::gateways::{acknowledge, renew_lease};

#[tonic::async_trait]
impl GatewayService for Api {
    async fn renew_lease(
        &self,
        request: Request<RenewLeaseRequest>,
    ) -> Result<Response<RenewLeaseResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        Ok(Response::new(renew_lease::renew(&call).await?))
    }

    async fn acknowledge_containment(
        &self,
        request: Request<AcknowledgeContainmentRequest>,
    ) -> Result<Response<AcknowledgeContainmentResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let answer = acknowledge::acknowledge(&call, request.into_inner()).await?;
        Ok(Response::new(answer))
    }
}
