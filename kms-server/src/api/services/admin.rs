//! `ward.admin.v1`: operator verbs. The admission layer lets only the leader get here. Each is
//! carried through in a task of its own.

use tonic::{Request, Response, Status};
use ward_proto::admin::v1::device_admin_service_server::DeviceAdminService;
use ward_proto::admin::v1::key_admin_service_server::KeyAdminService;
use ward_proto::admin::v1::token_admin_service_server::TokenAdminService;
use ward_proto::admin::v1::{
    ContainDeviceRequest, ContainDeviceResponse, CreateJoinTokenRequest, CreateJoinTokenResponse,
    CreateKeyRequest, CreateKeyResponse, DescribeContainmentRequest, DescribeContainmentResponse,
    DisableKeyRequest, DisableKeyResponse, EnableKeyRequest, EnableKeyResponse,
    EnrollDeviceRequest, EnrollDeviceResponse, ReleaseDeviceRequest, ReleaseDeviceResponse,
    RevokeDeviceRequest, RevokeDeviceResponse, RotateKeyRequest, RotateKeyResponse,
    SetOfflineAllowanceRequest, SetOfflineAllowanceResponse,
};

use super::Api;
use crate::api::call::Call;
use crate::api::{devices, identities, keys};

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

    async fn contain_device(
        &self,
        _: Request<ContainDeviceRequest>,
    ) -> Result<Response<ContainDeviceResponse>, Status> {
        Err(Status::unimplemented("this node contains no devices yet"))
    }

    async fn release_device(
        &self,
        _: Request<ReleaseDeviceRequest>,
    ) -> Result<Response<ReleaseDeviceResponse>, Status> {
        Err(Status::unimplemented("this node contains no devices yet"))
    }

    async fn revoke_device(
        &self,
        _: Request<RevokeDeviceRequest>,
    ) -> Result<Response<RevokeDeviceResponse>, Status> {
        Err(Status::unimplemented("this node contains no devices yet"))
    }

    async fn set_offline_allowance(
        &self,
        _: Request<SetOfflineAllowanceRequest>,
    ) -> Result<Response<SetOfflineAllowanceResponse>, Status> {
        Err(Status::unimplemented("this node contains no devices yet"))
    }

    async fn describe_containment(
        &self,
        _: Request<DescribeContainmentRequest>,
    ) -> Result<Response<DescribeContainmentResponse>, Status> {
        Err(Status::unimplemented("this node contains no devices yet"))
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
