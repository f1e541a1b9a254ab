//! `ward.v1.RewrapService` and `ward.admin.v1.RewrapAdminService`. The admission layer lets only
//! the leader get to the operators' verbs.

use tonic::{Request, Response, Status};
use ward_proto::admin::v1::rewrap_admin_service_server::RewrapAdminService;
use ward_proto::admin::v1::{
    CancelRewrapRequest, CancelRewrapResponse, ReadCensusRequest, ReadCensusResponse,
    StartRewrapRequest, StartRewrapResponse,
};
use ward_proto::v1::rewrap_service_server::RewrapService;
use ward_proto::v1::{
    ReportArchiveRequest, ReportArchiveResponse, RewrapDataKeysRequest, RewrapDataKeysResponse,
};

use super::Api;
use crate::api::call::Call;
use crate::api::{crypto, rewraps};

#[tonic::async_trait]
impl RewrapService for Api {
    async fn report_archive(
        &self,
        request: Request<ReportArchiveRequest>,
    ) -> Result<Response<ReportArchiveResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let answer = rewraps::report::report(&call, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn rewrap_data_keys(
        &self,
        request: Request<RewrapDataKeysRequest>,
    ) -> Result<Response<RewrapDataKeysResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let held = crypto::rewrap_data_keys::rewrap(&call, request.into_inner()).await?;
        Ok(Response::new(held.release(&call)?))
    }
}

#[tonic::async_trait]
impl RewrapAdminService for Api {
    async fn start_rewrap(
        &self,
        request: Request<StartRewrapRequest>,
    ) -> Result<Response<StartRewrapResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { rewraps::start(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("start-rewrap", write).await?,
        ))
    }

    async fn cancel_rewrap(
        &self,
        request: Request<CancelRewrapRequest>,
    ) -> Result<Response<CancelRewrapResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { rewraps::cancel(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("cancel-rewrap", write).await?,
        ))
    }

    async fn read_census(
        &self,
        request: Request<ReadCensusRequest>,
    ) -> Result<Response<ReadCensusResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let answer = rewraps::census(&call, request.into_inner()).await?;
        Ok(Response::new(answer))
    }
}
