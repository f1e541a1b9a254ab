//! `ward.v1.BatchService`.

use tonic::{Request, Response, Status, Streaming};
use ward_proto::v1::batch_service_server::BatchService;
use ward_proto::v1::{BatchRequest, BatchResponse, UseKeysRequest};

use super::Api;
use crate::api::call::Call;
use crate::api::crypto;
use crate::api::crypto::use_keys::UseStream;

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

    type UseKeysStream = UseStream;

    async fn use_keys(
        &self,
        request: Request<Streaming<UseKeysRequest>>,
    ) -> Result<Response<UseStream>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let stream = crypto::use_keys::use_keys(call, request.into_inner())?;
        Ok(Response::new(stream))
    }
}
