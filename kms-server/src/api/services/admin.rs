//! `ward.admin.v1`: operator verbs. The admission layer lets only the leader get here. Each is
//! carried through in a task of its own.

use tonic::{Request, Response, Status};
use ward_proto::admin::v1::cluster_admin_service_server::ClusterAdminService;
use ward_proto::admin::v1::device_admin_service_server::DeviceAdminService;
use ward_proto::admin::v1::gateway_admin_service_server::GatewayAdminService;
use ward_proto::admin::v1::key_admin_service_server::KeyAdminService;
use ward_proto::admin::v1::token_admin_service_server::TokenAdminService;
use ward_proto::admin::v1::{
    ContainDeviceRequest, ContainDeviceResponse, CreateJoinTokenRequest, CreateJoinTokenResponse,
    CreateKeyRequest, CreateKeyResponse, CreateTypedKeyRequest, CreateTypedKeyResponse,
    DeleteAliasRequest, DeleteAliasResponse, DescribeContainmentRequest,
    DescribeContainmentResponse, DisableKeyRequest, DisableKeyResponse, DisableKeyVersionRequest,
    DisableKeyVersionResponse, EnableKeyRequest, EnableKeyResponse, EnableKeyVersionRequest,
    EnableKeyVersionResponse, EnrollDeviceRequest, EnrollDeviceResponse,
    GetImportParametersRequest, GetImportParametersResponse, ImportKeyRequest, ImportKeyResponse,
    PutAliasRequest, PutAliasResponse, ReleaseDeviceRequest, ReleaseDeviceResponse,
    RemoveNodeRequest, RemoveNodeResponse, RevokeDeviceRequest, RevokeDeviceResponse,
    RevokeGatewayRequest, RevokeGatewayResponse, RotateKeyRequest, RotateKeyResponse,
    SetKeyLabelsRequest, SetKeyLabelsResponse, SetKeyMinimumRequest, SetKeyMinimumResponse,
    SetKeyRotationRequest, SetKeyRotationResponse, SetOfflineAllowanceRequest,
    SetOfflineAllowanceResponse, TransferLeadershipRequest, TransferLeadershipResponse,
};
use ward_proto::v1::ContainLevel;

use super::Api;
use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::api::{cluster, convert, devices, gateways, identities, keys};

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

    async fn create_typed_key(
        &self,
        request: Request<CreateTypedKeyRequest>,
    ) -> Result<Response<CreateTypedKeyResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { keys::create::create_typed(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("create-typed-key", write).await?,
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

    async fn enable_key_version(
        &self,
        request: Request<EnableKeyVersionRequest>,
    ) -> Result<Response<EnableKeyVersionResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { keys::version_state::enable(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("enable-key-version", write).await?,
        ))
    }

    async fn disable_key_version(
        &self,
        request: Request<DisableKeyVersionRequest>,
    ) -> Result<Response<DisableKeyVersionResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { keys::version_state::disable(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("disable-key-version", write).await?,
        ))
    }

    async fn set_key_minimum(
        &self,
        request: Request<SetKeyMinimumRequest>,
    ) -> Result<Response<SetKeyMinimumResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { keys::set_minimum::set_minimum(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("set-key-minimum", write).await?,
        ))
    }

    async fn set_key_labels(
        &self,
        request: Request<SetKeyLabelsRequest>,
    ) -> Result<Response<SetKeyLabelsResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { keys::set_labels::set_labels(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("set-key-labels", write).await?,
        ))
    }

    async fn set_key_rotation(
        &self,
        request: Request<SetKeyRotationRequest>,
    ) -> Result<Response<SetKeyRotationResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { keys::set_rotation::set_rotation(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("set-key-rotation", write).await?,
        ))
    }

    async fn get_import_parameters(
        &self,
        request: Request<GetImportParametersRequest>,
    ) -> Result<Response<GetImportParametersResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { keys::import::parameters(&call, request).await };
        Ok(Response::new(
            self.node
                .writes
                .carry("get-import-parameters", write)
                .await?,
        ))
    }

    async fn import_key(
        &self,
        request: Request<ImportKeyRequest>,
    ) -> Result<Response<ImportKeyResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { keys::import::import(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("import-key", write).await?,
        ))
    }

    async fn put_alias(
        &self,
        request: Request<PutAliasRequest>,
    ) -> Result<Response<PutAliasResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { keys::aliases::put(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("put-alias", write).await?,
        ))
    }

    async fn delete_alias(
        &self,
        request: Request<DeleteAliasRequest>,
    ) -> Result<Response<DeleteAliasResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { keys::aliases::delete(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("delete-alias", write).await?,
        ))
    }
}

impl Api {
    /// Orders a containment, and waits for it as long as the caller asked.
    async fn contain(
        &self,
        call: Call,
        request: ContainDeviceRequest,
    ) -> Result<ContainDeviceResponse, Failure> {
        let (device_id, wait_ms) = (request.device_id.clone(), request.wait_ms);
        let write = async move {
            let index = devices::contain::contain(&call, &request).await?;
            Ok((call, index))
        };
        let (call, index) = self.node.writes.carry("contain-device", write).await?;
        // The order stands: whoever gives up waiting from here on leaves nothing half-done.
        let (device, progress) = devices::progress::wait(&call, &device_id, wait_ms).await?;
        Ok(ContainDeviceResponse {
            device: Some(device),
            progress: Some(progress),
            applied: convert::applied(index),
        })
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
        request: Request<ContainDeviceRequest>,
    ) -> Result<Response<ContainDeviceResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let ordered = self.contain(call, request.into_inner()).await?;
        Ok(Response::new(ordered))
    }

    async fn release_device(
        &self,
        request: Request<ReleaseDeviceRequest>,
    ) -> Result<Response<ReleaseDeviceResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move {
            let index = devices::contain::release(&call, &request).await?;
            let device = devices::progress::device(&call, &request.device_id)?;
            Ok(ReleaseDeviceResponse {
                device: Some(device),
                applied: convert::applied(index),
            })
        };
        Ok(Response::new(
            self.node.writes.carry("release-device", write).await?,
        ))
    }

    async fn revoke_device(
        &self,
        request: Request<RevokeDeviceRequest>,
    ) -> Result<Response<RevokeDeviceResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let RevokeDeviceRequest {
            device_id,
            case_id,
            wait_ms,
            write,
        } = request.into_inner();
        let order = ContainDeviceRequest {
            device_id,
            level: ContainLevel::Revoke.into(),
            services: Vec::new(),
            case_id,
            wait_ms,
            write,
        };
        let ContainDeviceResponse {
            device,
            progress,
            applied,
        } = self.contain(call, order).await?;
        Ok(Response::new(RevokeDeviceResponse {
            device,
            progress,
            applied,
        }))
    }

    async fn set_offline_allowance(
        &self,
        request: Request<SetOfflineAllowanceRequest>,
    ) -> Result<Response<SetOfflineAllowanceResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move {
            let index = devices::contain::set_allowance(&call, &request).await?;
            let device = devices::progress::device(&call, &request.device_id)?;
            Ok(SetOfflineAllowanceResponse {
                device: Some(device),
                applied: convert::applied(index),
            })
        };
        Ok(Response::new(
            self.node
                .writes
                .carry("set-offline-allowance", write)
                .await?,
        ))
    }

    async fn describe_containment(
        &self,
        request: Request<DescribeContainmentRequest>,
    ) -> Result<Response<DescribeContainmentResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let answer = devices::progress::describe(&call, request.into_inner()).await?;
        Ok(Response::new(answer))
    }
}

#[tonic::async_trait]
impl GatewayAdminService for Api {
    async fn revoke_gateway(
        &self,
        request: Request<RevokeGatewayRequest>,
    ) -> Result<Response<RevokeGatewayResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let write = async move { gateways::revoke::revoke(&call, request).await };
        Ok(Response::new(
            self.node.writes.carry("revoke-gateway", write).await?,
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

    async fn transfer_leadership(
        &self,
        request: Request<TransferLeadershipRequest>,
    ) -> Result<Response<TransferLeadershipResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        let request = request.into_inner();
        let transfer = async move { cluster::transfer::transfer(&call, request).await };
        Ok(Response::new(
            self.node
                .writes
                .carry("transfer-leadership", transfer)
                .await?,
        ))
    }
}
