//! `ward.admin.v1`: operator verbs on quotas. The admission layer lets only the leader get here.

use tonic::{Request, Response, Status};
use ward_proto::admin::v1::quota_admin_service_server::QuotaAdminService;
use ward_proto::admin::v1::{
    DeleteQuotaRequest, DeleteQuotaResponse, ListQuotasRequest, ListQuotasResponse,
    PutQuotaRequest, PutQuotaResponse,
};

use super::Api;
use crate::api::call::Call;
use crate::api::quotas;

#[tonic::async_trait]
impl QuotaAdminService for Api {
    async fn put_quota(
        &self,
        request: Request<PutQuotaRequest>,
    ) -> Result<Response<PutQuotaResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { quotas::put(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("put-quota", write).await?,
        ))
    }

    async fn list_quotas(
        &self,
        request: Request<ListQuotasRequest>,
    ) -> Result<Response<ListQuotasResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        Ok(Response::new(quotas::list(&call).await?))
    }

    async fn delete_quota(
        &self,
        request: Request<DeleteQuotaRequest>,
    ) -> Result<Response<DeleteQuotaResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { quotas::delete(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("delete-quota", write).await?,
        ))
    }
}
