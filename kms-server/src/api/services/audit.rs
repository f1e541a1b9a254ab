//! `ward.v1.AuditService`.

use tonic::{Request, Response, Status};
use ward_proto::v1::audit_service_server::AuditService;
use ward_proto::v1::{
    ListAuditFilesRequest, ListAuditFilesResponse, ReadAuditAnchorsRequest,
    ReadAuditAnchorsResponse, ReadAuditFileRequest, ReadAuditFileResponse,
};

use super::Api;
use crate::api::audit;
use crate::api::call::Call;

#[tonic::async_trait]
impl AuditService for Api {
    async fn list_audit_files(
        &self,
        request: Request<ListAuditFilesRequest>,
    ) -> Result<Response<ListAuditFilesResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        Ok(Response::new(audit::list(&call).await?))
    }

    async fn read_audit_file(
        &self,
        request: Request<ReadAuditFileRequest>,
    ) -> Result<Response<ReadAuditFileResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        Ok(Response::new(
            audit::read(&call, request.into_inner()).await?,
        ))
    }

    async fn read_audit_anchors(
        &self,
        request: Request<ReadAuditAnchorsRequest>,
    ) -> Result<Response<ReadAuditAnchorsResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        Ok(Response::new(audit::anchors(&call).await?))
    }
}
