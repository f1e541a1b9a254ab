//! `ward.admin.v1`: operator verbs on approvals. The admission layer lets only the leader get here.

use tonic::{Request, Response, Status};
use ward_proto::admin::v1::approval_admin_service_server::ApprovalAdminService;
use ward_proto::admin::v1::{
    ApproveRequestRequest, ApproveRequestResponse, DescribeApprovalRequest,
    DescribeApprovalResponse, ListApprovalsRequest, ListApprovalsResponse, RejectRequestRequest,
    RejectRequestResponse,
};

use super::Api;
use crate::api::approvals;
use crate::api::call::Call;

#[tonic::async_trait]
impl ApprovalAdminService for Api {
    async fn list_approvals(
        &self,
        request: Request<ListApprovalsRequest>,
    ) -> Result<Response<ListApprovalsResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        Ok(Response::new(approvals::list(&call).await?))
    }

    async fn describe_approval(
        &self,
        request: Request<DescribeApprovalRequest>,
    ) -> Result<Response<DescribeApprovalResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let answer = approvals::describe(&call, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn approve_request(
        &self,
        request: Request<ApproveRequestRequest>,
    ) -> Result<Response<ApproveRequestResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { approvals::approve(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("approve-request", write).await?,
        ))
    }

    async fn reject_request(
        &self,
        request: Request<RejectRequestRequest>,
    ) -> Result<Response<RejectRequestResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { approvals::reject(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("reject-request", write).await?,
        ))
    }
}
