//! `ward.v1.GatewayService`: leases and acknowledgements.

use tonic::{Request, Response, Status};
use ward_proto::v1::gateway_service_server::GatewayService;
use ward_proto::v1::{
    AcknowledgeContainmentRequest, AcknowledgeContainmentResponse, RenewLeaseRequest,
    RenewLeaseResponse,
};

use super::Api;

#[tonic::async_trait]
impl GatewayService for Api {
    async fn renew_lease(
        &self,
        _: Request<RenewLeaseRequest>,
    ) -> Result<Response<RenewLeaseResponse>, Status> {
        Err(Status::unimplemented("this node grants no leases yet"))
    }

    async fn acknowledge_containment(
        &self,
        _: Request<AcknowledgeContainmentRequest>,
    ) -> Result<Response<AcknowledgeContainmentResponse>, Status> {
        Err(Status::unimplemented(
            "this node takes no acknowledgements yet",
        ))
    }
}
