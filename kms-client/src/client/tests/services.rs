//! What the nodes of the tests answer: always the same key, and what they are told to.

use std::pin::Pin;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use tokio_stream::wrappers::WatchStream;
use tonic::{Request, Response, Status};
use ward_proto::admin::v1 as admin;
use ward_proto::admin::v1::cluster_admin_service_server::ClusterAdminService;
use ward_proto::admin::v1::key_admin_service_server::KeyAdminService;
use ward_proto::v1;
use ward_proto::v1::certificate_service_server::CertificateService;
use ward_proto::v1::cluster_service_server::ClusterService;
use ward_proto::v1::join_service_server::JoinService;
use ward_proto::v1::key_service_server::KeyService;
use ward_proto::v1::watch_service_server::WatchService;

use super::node::{Seen, Shared};

fn key() -> Option<v1::Key> {
    let state = v1::KeyState::Enabled.into();
    Some(v1::Key {
        key_id: Bytes::from_static(&[7; 16]),
        name: "billing".into(),
        state,
        primary_version: 1,
        versions: vec![v1::KeyVersion {
            version: 1,
            state,
            created_ms: 1,
        }],
        revision: 1,
        epoch: 1,
        ..v1::Key::default()
    })
}

fn seen<T>(
    verb: &'static str,
    request: &Request<T>,
    write: Option<&v1::WriteOptions>,
    read: Option<&v1::ReadOptions>,
) -> Seen {
    let timeout = request
        .metadata()
        .get("grpc-timeout")
        .map(|it| it.to_str().unwrap().into());
    Seen {
        verb,
        intent: write
            .map(|write| write.idempotency_key.to_vec())
            .unwrap_or_default(),
        min_index: read.map_or(0, |read| read.min_index),
        timeout: timeout.unwrap_or_default(),
    }
}

#[tonic::async_trait]
impl KeyAdminService for Shared {
    async fn create_key(
        &self,
        request: Request<admin::CreateKeyRequest>,
    ) -> Result<Response<admin::CreateKeyResponse>, Status> {
        let seen = seen(
            "create_key",
            &request,
            request.get_ref().write.as_ref(),
            None,
        );
        let applied = Some(self.arrived(seen).await?);
        Ok(Response::new(admin::CreateKeyResponse {
            key: key(),
            applied,
        }))
    }

    async fn create_typed_key(
        &self,
        _: Request<admin::CreateTypedKeyRequest>,
    ) -> Result<Response<admin::CreateTypedKeyResponse>, Status> {
        Err(Status::unimplemented("not in the tests"))
    }

    async fn rotate_key(
        &self,
        _: Request<admin::RotateKeyRequest>,
    ) -> Result<Response<admin::RotateKeyResponse>, Status> {
        Err(Status::unimplemented("not in the tests"))
    }

    async fn enable_key(
        &self,
        _: Request<admin::EnableKeyRequest>,
    ) -> Result<Response<admin::EnableKeyResponse>, Status> {
        Err(Status::unimplemented("not in the tests"))
    }

    async fn disable_key(
        &self,
        _: Request<admin::DisableKeyRequest>,
    ) -> Result<Response<admin::DisableKeyResponse>, Status> {
        Err(Status::unimplemented("not in the tests"))
    }

    async fn enable_key_version(
        &self,
        _: Request<admin::EnableKeyVersionRequest>,
    ) -> Result<Response<admin::EnableKeyVersionResponse>, Status> {
        Err(Status::unimplemented("not in the tests"))
    }

    async fn disable_key_version(
        &self,
        _: Request<admin::DisableKeyVersionRequest>,
    ) -> Result<Response<admin::DisableKeyVersionResponse>, Status> {
        Err(Status::unimplemented("not in the tests"))
    }

    async fn set_key_minimum(
        &self,
        _: Request<admin::SetKeyMinimumRequest>,
    ) -> Result<Response<admin::SetKeyMinimumResponse>, Status> {
        Err(Status::unimplemented("not in the tests"))
    }

    async fn set_key_rotation(
        &self,
        _: Request<admin::SetKeyRotationRequest>,
    ) -> Result<Response<admin::SetKeyRotationResponse>, Status> {
        Err(Status::unimplemented("not in the tests"))
    }

    async fn get_import_parameters(
        &self,
        _: Request<admin::GetImportParametersRequest>,
    ) -> Result<Response<admin::GetImportParametersResponse>, Status> {
        Err(Status::unimplemented("not in the tests"))
    }

    async fn import_key(
        &self,
        _: Request<admin::ImportKeyRequest>,
    ) -> Result<Response<admin::ImportKeyResponse>, Status> {
        Err(Status::unimplemented("not in the tests"))
    }

    async fn set_key_labels(
        &self,
        _: Request<admin::SetKeyLabelsRequest>,
    ) -> Result<Response<admin::SetKeyLabelsResponse>, Status> {
        Err(Status::unimplemented("not in the tests"))
    }

    async fn put_alias(
        &self,
        _: Request<admin::PutAliasRequest>,
    ) -> Result<Response<admin::PutAliasResponse>, Status> {
        Err(Status::unimplemented("not in the tests"))
    }

    async fn delete_alias(
        &self,
        _: Request<admin::DeleteAliasRequest>,
    ) -> Result<Response<admin::DeleteAliasResponse>, Status> {
        Err(Status::unimplemented("not in the tests"))
    }
}

#[tonic::async_trait]
impl KeyService for Shared {
    async fn describe_key(
        &self,
        request: Request<v1::DescribeKeyRequest>,
    ) -> Result<Response<v1::DescribeKeyResponse>, Status> {
        let seen = seen(
            "describe_key",
            &request,
            None,
            request.get_ref().read.as_ref(),
        );
        let applied = Some(self.arrived(seen).await?);
        Ok(Response::new(v1::DescribeKeyResponse {
            key: key(),
            applied,
        }))
    }

    /// Two pages of one key each.
    async fn list_keys(
        &self,
        request: Request<v1::ListKeysRequest>,
    ) -> Result<Response<v1::ListKeysResponse>, Status> {
        let seen = seen("list_keys", &request, None, request.get_ref().read.as_ref());
        let applied = Some(self.arrived(seen).await?);
        let first = request.get_ref().page_token.is_empty();
        let next_page_token = if first {
            "second".to_owned()
        } else {
            String::new()
        };
        let keys = key().into_iter().collect();
        Ok(Response::new(v1::ListKeysResponse {
            keys,
            next_page_token,
            applied,
        }))
    }

    async fn list_aliases(
        &self,
        _: Request<v1::ListAliasesRequest>,
    ) -> Result<Response<v1::ListAliasesResponse>, Status> {
        Err(Status::unimplemented("not in the tests"))
    }

    async fn get_public_key(
        &self,
        _: Request<v1::GetPublicKeyRequest>,
    ) -> Result<Response<v1::GetPublicKeyResponse>, Status> {
        Err(Status::unimplemented("not in the tests"))
    }
}

#[tonic::async_trait]
impl ClusterService for Shared {
    async fn get_cluster_status(
        &self,
        _: Request<v1::GetClusterStatusRequest>,
    ) -> Result<Response<v1::GetClusterStatusResponse>, Status> {
        *self.statuses_told.lock().unwrap() += 1;
        Ok(Response::new(self.status.lock().unwrap().clone()))
    }

    async fn announce_gateway(
        &self,
        request: Request<v1::AnnounceGatewayRequest>,
    ) -> Result<Response<v1::AnnounceGatewayResponse>, Status> {
        let seen = seen(
            "announce_gateway",
            &request,
            request.get_ref().write.as_ref(),
            None,
        );
        let applied = Some(self.arrived(seen).await?);
        Ok(Response::new(v1::AnnounceGatewayResponse { applied }))
    }
}

#[tonic::async_trait]
impl ClusterAdminService for Shared {
    async fn remove_node(
        &self,
        _: Request<admin::RemoveNodeRequest>,
    ) -> Result<Response<admin::RemoveNodeResponse>, Status> {
        Err(Status::unimplemented("not in the tests"))
    }

    /// The third leads afterwards. What is noted as the intent is whose leadership was to move.
    async fn transfer_leadership(
        &self,
        request: Request<admin::TransferLeadershipRequest>,
    ) -> Result<Response<admin::TransferLeadershipResponse>, Status> {
        let seen = Seen {
            intent: request.get_ref().from_node_id.to_be_bytes().to_vec(),
            ..seen("transfer_leadership", &request, None, None)
        };
        let applied = Some(self.arrived(seen).await?);
        Ok(Response::new(admin::TransferLeadershipResponse {
            leader: 3,
            applied,
        }))
    }
}

#[tonic::async_trait]
impl WatchService for Shared {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<v1::WatchEvent, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<v1::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.arrived(seen("watch", &request, None, None)).await?;
        let event = v1::watch_event::Event::Resync(v1::Resync {});
        let resync = v1::WatchEvent {
            applied_index: 1,
            event: Some(event),
        };
        let told = WatchStream::from_changes(self.events.subscribe()).filter_map(async |it| it);
        let mut end = self.end_watches.subscribe();
        let end = async move { end.changed().await };
        let events = futures::stream::iter([resync]).chain(told).map(Ok);
        Ok(Response::new(Box::pin(events.take_until(Box::pin(end)))))
    }
}

#[tonic::async_trait]
impl CertificateService for Shared {
    async fn issue_certificate(
        &self,
        request: Request<v1::IssueCertificateRequest>,
    ) -> Result<Response<v1::IssueCertificateResponse>, Status> {
        let seen = seen(
            "issue_certificate",
            &request,
            request.get_ref().write.as_ref(),
            None,
        );
        let applied = Some(self.arrived(seen).await?);
        Ok(Response::new(v1::IssueCertificateResponse {
            certificate_der: self.issue(&request.get_ref().csr_der),
            ca_der: self.ca(),
            not_after_ms: 1,
            applied,
        }))
    }
}

#[tonic::async_trait]
impl JoinService for Shared {
    async fn join(
        &self,
        request: Request<v1::JoinRequest>,
    ) -> Result<Response<v1::JoinResponse>, Status> {
        self.arrived(seen("join", &request, None, None)).await?;
        let request = request.into_inner();
        Ok(Response::new(v1::JoinResponse {
            certificate_der: self.issue(&request.csr_der),
            ca_der: self.ca(),
            cluster_id: Bytes::from_static(&[9; 16]),
            trust_domain: "ward.test".into(),
            node_id: 4,
            endpoints: vec![v1::Endpoint {
                node_id: 1,
                api_address: request.api_address,
                peer_address: request.peer_address,
                join_address: request.join_address,
                public_key_der: Bytes::from_static(b"key"),
            }],
        }))
    }
}
