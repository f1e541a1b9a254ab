//! The gRPC servers of a node: what is mounted on each listener, behind which layers.

use std::future::Future;
use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tonic::transport::Server;
use tonic::transport::server::Router;
use tower::ServiceBuilder;
use ward_proto::admin::v1::approval_admin_service_server::ApprovalAdminServiceServer;
use ward_proto::admin::v1::cluster_admin_service_server::ClusterAdminServiceServer;
use ward_proto::admin::v1::device_admin_service_server::DeviceAdminServiceServer;
use ward_proto::admin::v1::gateway_admin_service_server::GatewayAdminServiceServer;
use ward_proto::admin::v1::key_admin_service_server::KeyAdminServiceServer;
use ward_proto::admin::v1::policy_admin_service_server::PolicyAdminServiceServer;
use ward_proto::admin::v1::quota_admin_service_server::QuotaAdminServiceServer;
use ward_proto::admin::v1::rewrap_admin_service_server::RewrapAdminServiceServer;
use ward_proto::admin::v1::token_admin_service_server::TokenAdminServiceServer;
use ward_proto::v1::audit_service_server::AuditServiceServer;
use ward_proto::v1::batch_service_server::BatchServiceServer;
use ward_proto::v1::certificate_service_server::CertificateServiceServer;
use ward_proto::v1::cluster_service_server::ClusterServiceServer;
use ward_proto::v1::crypto_service_server::CryptoServiceServer;
use ward_proto::v1::device_service_server::DeviceServiceServer;
use ward_proto::v1::gateway_service_server::GatewayServiceServer;
use ward_proto::v1::join_service_server::JoinServiceServer;
use ward_proto::v1::key_service_server::KeyServiceServer;
use ward_proto::v1::rewrap_service_server::RewrapServiceServer;
use ward_proto::v1::watch_service_server::WatchServiceServer;

use crate::api::services::{Api, JoinApi};
use crate::limits::{
    BATCH_BYTES_MAX, HEADERS_BYTES_HARD_MAX, JOIN_CONNECTION_AGE_MAX, JOIN_CONNECTION_GRACE,
    JOIN_REQUEST_BYTES_MAX, JOINS_PER_SECOND, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT,
    PEER_MESSAGE_BYTES_MAX, REQUEST_BYTES_MAX, REQUEST_DEADLINE, REQUESTS_IN_FLIGHT_MAX,
    RESETS_PENDING_MAX, RESPONSE_BYTES_MAX, STREAMS_MAX,
};
use crate::node::context::Node;
use crate::node::peer_handler::Handler;
use crate::stack::admission::AdmissionLayer;
use crate::stack::deadline::DeadlineLayer;
use crate::stack::form::FormLayer;
use crate::stack::identity::IdentityLayer;
use crate::stack::peer::PeerLayer;
use crate::stack::rate::{IdentityRate, RateLayer};
use crate::stack::trace::TraceLayer;
use crate::tls::accept::Incoming;
use crate::tls::peer_verifier::KnownPeers;

type Served = Result<(), tonic::transport::Error>;

/// Serves clients until `stop`.
pub(super) async fn serve_api(
    node: Arc<Node>,
    incoming: Incoming,
    stop: impl Future<Output = ()>,
) -> Served {
    let api = Api::new(Arc::clone(&node));
    let router = bounded()
        .layer(
            ServiceBuilder::new()
                // Before any work: nobody takes more than a share of it.
                .layer(RateLayer::new(node.rate.clone()))
                // Everything below is counted and has a span; no refusal leaves without a reason.
                .layer(TraceLayer)
                .layer(FormLayer)
                // All waiting below ends with the caller's.
                .layer(DeadlineLayer::new(REQUEST_DEADLINE))
                // Who asks, and whether that counts today.
                .layer(IdentityLayer::new(node.clone()))
                // What this node cannot do now is not begun.
                .layer(AdmissionLayer::new(node.clone(), Arc::clone(&node.places)))
                .into_inner(),
        )
        .add_service(
            CryptoServiceServer::new(api.clone())
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(RESPONSE_BYTES_MAX),
        )
        .add_service(
            BatchServiceServer::new(api.clone())
                .max_decoding_message_size(BATCH_BYTES_MAX)
                .max_encoding_message_size(RESPONSE_BYTES_MAX),
        )
        .add_service(
            KeyServiceServer::new(api.clone())
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(RESPONSE_BYTES_MAX),
        )
        .add_service(
            DeviceServiceServer::new(api.clone())
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(RESPONSE_BYTES_MAX),
        )
        .add_service(
            CertificateServiceServer::new(api.clone())
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(RESPONSE_BYTES_MAX),
        )
        .add_service(
            ClusterServiceServer::new(api.clone())
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(RESPONSE_BYTES_MAX),
        )
        .add_service(
            WatchServiceServer::new(api.clone())
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(RESPONSE_BYTES_MAX),
        )
        .add_service(audit_service(api.clone()))
        .add_service(rewraps(api.clone()))
        .add_service(
            GatewayServiceServer::new(api.clone())
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(RESPONSE_BYTES_MAX),
        );
    with_operator_verbs(router, api)
        .serve_with_incoming_shutdown(incoming, stop)
        .await
}

/// Adds what only operators may call.
fn with_operator_verbs<L>(router: Router<L>, api: Api) -> Router<L> {
    router
        .add_service(
            KeyAdminServiceServer::new(api.clone())
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(RESPONSE_BYTES_MAX),
        )
        .add_service(
            DeviceAdminServiceServer::new(api.clone())
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(RESPONSE_BYTES_MAX),
        )
        .add_service(
            GatewayAdminServiceServer::new(api.clone())
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(RESPONSE_BYTES_MAX),
        )
        .add_service(
            PolicyAdminServiceServer::new(api.clone())
                .max_decoding_message_size(REQUEST_BYTES_MAX)
                .max_encoding_message_size(RESPONSE_BYTES_MAX),
        )
        .add_service(cluster_admin(api.clone()))
        .add_service(quota_admin(api.clone()))
        .add_service(approval_admin(api.clone()))
        .add_service(rewrap_admin(api.clone()))
        .add_service(token_admin(api))
}

fn audit_service(api: Api) -> AuditServiceServer<Api> {
    AuditServiceServer::new(api)
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(RESPONSE_BYTES_MAX)
}

fn cluster_admin(api: Api) -> ClusterAdminServiceServer<Api> {
    ClusterAdminServiceServer::new(api)
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(RESPONSE_BYTES_MAX)
}

fn quota_admin(api: Api) -> QuotaAdminServiceServer<Api> {
    QuotaAdminServiceServer::new(api)
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(RESPONSE_BYTES_MAX)
}

fn approval_admin(api: Api) -> ApprovalAdminServiceServer<Api> {
    ApprovalAdminServiceServer::new(api)
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(RESPONSE_BYTES_MAX)
}

/// What gateways ask for in one request is much at once.
fn rewraps(api: Api) -> RewrapServiceServer<Api> {
    RewrapServiceServer::new(api)
        .max_decoding_message_size(BATCH_BYTES_MAX)
        .max_encoding_message_size(RESPONSE_BYTES_MAX)
}

fn rewrap_admin(api: Api) -> RewrapAdminServiceServer<Api> {
    RewrapAdminServiceServer::new(api)
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(RESPONSE_BYTES_MAX)
}

fn token_admin(api: Api) -> TokenAdminServiceServer<Api> {
    TokenAdminServiceServer::new(api)
        .max_decoding_message_size(REQUEST_BYTES_MAX)
        .max_encoding_message_size(RESPONSE_BYTES_MAX)
}

/// Serves joiners until `stop`.
pub(super) async fn serve_join(
    node: Arc<Node>,
    incoming: Incoming,
    stop: impl Future<Output = ()>,
) -> Served {
    let join_places = Arc::new(Semaphore::new(REQUESTS_IN_FLIGHT_MAX));
    bounded()
        // Strangers: who is silent is not waited for.
        .max_connection_age(JOIN_CONNECTION_AGE_MAX)
        .max_connection_age_grace(JOIN_CONNECTION_GRACE)
        .layer(
            ServiceBuilder::new()
                // Joiners are strangers: they share one rate.
                .layer(RateLayer::new(IdentityRate::new(JOIN_RATE)))
                .layer(TraceLayer)
                .layer(FormLayer)
                .layer(DeadlineLayer::new(REQUEST_DEADLINE))
                .layer(AdmissionLayer::new(node.clone(), join_places))
                .into_inner(),
        )
        .add_service(
            JoinServiceServer::new(JoinApi::new(node))
                .max_decoding_message_size(JOIN_REQUEST_BYTES_MAX),
        )
        .serve_with_incoming_shutdown(incoming, stop)
        .await
}

/// Serves peers until `stop`.
pub(super) async fn serve_peers(
    node: Arc<Node>,
    known: Arc<dyn KnownPeers>,
    incoming: Incoming,
    stop: impl Future<Output = ()>,
) -> Served {
    let service = node
        .replica
        .peer_service(Arc::new(Handler(Arc::clone(&node))));
    bounded()
        .layer(PeerLayer::new(known))
        .add_service(service.max_decoding_message_size(PEER_MESSAGE_BYTES_MAX))
        .serve_with_incoming_shutdown(incoming, stop)
        .await
}

/// What bounds every connection, whoever opened it.
fn bounded() -> Server {
    Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .http2_max_header_list_size(HEADERS_BYTES_HARD_MAX)
        .http2_max_pending_accept_reset_streams(Some(RESETS_PENDING_MAX))
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
}

const JOIN_RATE: NonZeroU32 = rate(JOINS_PER_SECOND);

pub(super) const fn rate(per_second: u32) -> NonZeroU32 {
    NonZeroU32::new(per_second).expect("the limits are not zero; checked when compiled")
}
