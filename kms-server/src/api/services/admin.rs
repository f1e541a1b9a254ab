//! `ward.admin.v1`: operator verbs. The admission layer lets only the leader get here. Each is
//! carried through in a task of its own.

use tonic::{Request, Response, Status};
use ward_proto::admin::v1::cluster_admin_service_server::ClusterAdminService;
use ward_proto::admin::v1::device_admin_service_server::DeviceAdminService;
use ward_proto::admin::v1::key_admin_service_server::KeyAdminService;
use ward_proto::admin::v1::token_admin_service_server::TokenAdminService;
use ward_proto::admin::v1::{
    CreateJoinTokenRequest, CreateJoinTokenResponse, CreateKeyRequest, CreateKeyResponse,
    DisableKeyRequest, DisableKeyResponse, EnableKeyRequest, EnableKeyResponse,
    EnrollDeviceRequest, EnrollDeviceResponse, RemoveNodeRequest, RemoveNodeResponse,
    RotateKeyRequest, RotateKeyResponse,
};

use super::Api;
use crate::api::call::Call;
use crate::api::{cluster, devices, identities, keys};

#[tonic::async_trait]
impl KeyAdminService for Api {
    async fn create_key(
        &self,
        request: Request<CreateKeyRequest>,
    ) -> Result<Response<CreateKeyResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { keys::create::create(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("create-key", write).await?,
        ))
    }

    async fn rotate_key(
        &self,
        request: Request<RotateKeyRequest>,
    ) -> Result<Response<RotateKeyResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { keys::rotate::rotate(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("rotate-key", write).await?,
        ))
    }

    async fn enable_key(
        &self,
        request: Request<EnableKeyRequest>,
    ) -> Result<Response<EnableKeyResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { keys::set_state::enable(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("enable-key", write).await?,
        ))
    }

    async fn disable_key(
        &self,
        request: Request<DisableKeyRequest>,
    ) -> Result<Response<DisableKeyResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { keys::set_state::disable(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("disable-key", write).await?,
        ))
    }
}

#[tonic::async_trait]
impl DeviceAdminService for Api {
    async fn enroll_device(
        &self,
        request: Request<EnrollDeviceRequest>,
    ) -> Result<Response<EnrollDeviceResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { devices::enroll::enroll(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("enroll-device", write).await?,
        ))
    }
}

#[tonic::async_trait]
impl TokenAdminService for Api {
    async fn create_join_token(
        &self,
        request: Request<CreateJoinTokenRequest>,
    ) -> Result<Response<CreateJoinTokenResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { identities::create_token::create(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("create-join-token", write).await?,
        ))
    }
}

#[tonic::async_trait]
impl ClusterAdminService for Api {
    async fn remove_node(
        &self,
        request: Request<RemoveNodeRequest>,
    ) -> Result<Response<RemoveNodeResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { cluster::remove_node::remove(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("remove-node", write).await?,
        ))
    }
}
