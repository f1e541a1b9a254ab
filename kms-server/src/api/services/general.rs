//! `ward.v1`: keys, devices, certificates, the cluster, watching.

use tonic::{Request, Response, Status};
use ward_proto::v1::certificate_service_server::CertificateService;
use ward_proto::v1::cluster_service_server::ClusterService;
use ward_proto::v1::device_service_server::DeviceService;
use ward_proto::v1::key_service_server::KeyService;
use ward_proto::v1::watch_service_server::WatchService;
use ward_proto::v1::{
    AnnounceGatewayRequest, AnnounceGatewayResponse, DescribeDeviceRequest, DescribeDeviceResponse,
    DescribeKeyRequest, DescribeKeyResponse, GetClusterStatusRequest, GetClusterStatusResponse,
    GetPublicKeyRequest, GetPublicKeyResponse, IssueCertificateRequest, IssueCertificateResponse,
    ListAliasesRequest, ListAliasesResponse, ListDevicesRequest, ListDevicesResponse,
    ListKeysRequest, ListKeysResponse, WatchRequest,
};

use super::Api;
use crate::api::call::Call;
use crate::api::cluster::watch::{self, WatchStream};
use crate::api::{cluster, devices, identities, keys};

#[tonic::async_trait]
impl KeyService for Api {
    async fn describe_key(
        &self,
        request: Request<DescribeKeyRequest>,
    ) -> Result<Response<DescribeKeyResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        Ok(Response::new(
            keys::describe::describe(&call, request.into_inner()).await?,
        ))
    }

    async fn list_keys(
        &self,
        request: Request<ListKeysRequest>,
    ) -> Result<Response<ListKeysResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        Ok(Response::new(
            keys::list::list(&call, request.into_inner()).await?,
        ))
    }

    async fn get_public_key(
        &self,
        request: Request<GetPublicKeyRequest>,
    ) -> Result<Response<GetPublicKeyResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        Ok(Response::new(
            keys::public_key::public_key(&call, request.into_inner()).await?,
        ))
    }

    async fn list_aliases(
        &self,
        request: Request<ListAliasesRequest>,
    ) -> Result<Response<ListAliasesResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        Ok(Response::new(
            keys::aliases::list(&call, request.into_inner()).await?,
        ))
    }
}

#[tonic::async_trait]
impl DeviceService for Api {
    async fn describe_device(
        &self,
        request: Request<DescribeDeviceRequest>,
    ) -> Result<Response<DescribeDeviceResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        Ok(Response::new(
            devices::describe::describe(&call, request.into_inner()).await?,
        ))
    }

    async fn list_devices(
        &self,
        request: Request<ListDevicesRequest>,
    ) -> Result<Response<ListDevicesResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        Ok(Response::new(
            devices::list::list(&call, request.into_inner()).await?,
        ))
    }
}

#[tonic::async_trait]
impl CertificateService for Api {
    async fn issue_certificate(
        &self,
        request: Request<IssueCertificateRequest>,
    ) -> Result<Response<IssueCertificateResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        Ok(Response::new(
            identities::issue::issue(&call, request.into_inner()).await?,
        ))
    }
}

#[tonic::async_trait]
impl ClusterService for Api {
    async fn get_cluster_status(
        &self,
        request: Request<GetClusterStatusRequest>,
    ) -> Result<Response<GetClusterStatusResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        Ok(Response::new(cluster::status::status(&call).await?))
    }

    async fn announce_gateway(
        &self,
        request: Request<AnnounceGatewayRequest>,
    ) -> Result<Response<AnnounceGatewayResponse>, Status> {
        let call = Call::begin(&self.node, &request)?;
        Ok(Response::new(
            cluster::announce_gateway::announce(&call, request.into_inner()).await?,
        ))
    }
}

#[tonic::async_trait]
impl WatchService for Api {
    type WatchStream = WatchStream;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<WatchStream>, Status> {
        let call = Call::begin(&self.node, &request)?;
        Ok(Response::new(watch::watch(&self.node, &call).await?))
    }
}
