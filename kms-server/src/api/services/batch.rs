//! `ward.v1.BatchService`.

use tonic::{Request, Response, Status};
use ward_proto::v1::batch_service_server::BatchService;
use ward_proto::v1::{BatchRequest, BatchResponse};

use super::Api;
use crate::api::call::Call;
use crate::api::crypto;

#[tonic::async_trait]
impl BatchService for Api {
    async fn batch(
        &self,
        request: Request<BatchRequest>,
    ) -> Result<Response<BatchResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let answer = crypto::batch::batch(&call, request.into_inner()).await?;
        Ok(Response::new(answer))
    }
}
