//! `ward.admin.v1`: operator verbs on policies. The admission layer lets only the leader get here.

use tonic::{Request, Response, Status};
use ward_proto::admin::v1::policy_admin_service_server::PolicyAdminService;
use ward_proto::admin::v1::{
    DeletePolicyRequest, DeletePolicyResponse, DescribePolicyRequest, DescribePolicyResponse,
    ExplainDecisionRequest, ExplainDecisionResponse, ListPoliciesRequest, ListPoliciesResponse,
    PutPolicyRequest, PutPolicyResponse,
};

use super::Api;
use crate::api::call::Call;
use crate::api::policies;

#[tonic::async_trait]
impl PolicyAdminService for Api {
    async fn put_policy(
        &self,
        request: Request<PutPolicyRequest>,
    ) -> Result<Response<PutPolicyResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { policies::put(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("put-policy", write).await?,
        ))
    }

    async fn delete_policy(
        &self,
        request: Request<DeletePolicyRequest>,
    ) -> Result<Response<DeletePolicyResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { policies::delete(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("delete-policy", write).await?,
        ))
    }

    async fn list_policies(
        &self,
        request: Request<ListPoliciesRequest>,
    ) -> Result<Response<ListPoliciesResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        Ok(Response::new(policies::list(&call).await?))
    }

    async fn describe_policy(
        &self,
        request: Request<DescribePolicyRequest>,
    ) -> Result<Response<DescribePolicyResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let answer = policies::describe(&call, request.into_inner()).await?;
        Ok(Response::new(answer))
    }

    async fn explain_decision(
        &self,
        request: Request<ExplainDecisionRequest>,
    ) -> Result<Response<ExplainDecisionResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let answer = policies::explain(&call, request.into_inner()).await?;
        Ok(Response::new(answer))
    }
}
