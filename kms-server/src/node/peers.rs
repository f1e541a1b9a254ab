//! Calls to other nodes outside of Raft: their status, and writes handed to the leader.
//!
//! One channel a member, made when it is first needed and again when the member moved.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::Uri;
use hyper_util::rt::TokioIo;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;
use ward_proto::peer::v1::peer_service_client::PeerServiceClient;
use ward_proto::peer::v1::{
    ForwardRequest, ForwardResponse, GetAuditHeadRequest, GetAuditHeadResponse,
    GetNodeStatusRequest, GetNodeStatusResponse,
};

use crate::limits::{PEER_MESSAGE_BYTES_MAX, PEER_STATUS_TIMEOUT};
use crate::raft::Member;
use crate::raft::network::request_for;
use crate::raft::peer::{Fitness, PeerConnector};
use crate::state::NodeId;

/// The way to other nodes.
pub(crate) struct Peers {
    connector: Arc<dyn PeerConnector>,
    channels: Mutex<HashMap<NodeId, (Member, Channel)>>,
}

impl Peers {
    /// Connects by `connector`, which verifies each peer.
    pub(crate) fn new(connector: Arc<dyn PeerConnector>) -> Self {
        Self {
            connector,
            channels: Mutex::new(HashMap::new()),
        }
    }

    /// Asks a member about itself.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub(crate) async fn status(
        &self,
        node: NodeId,
        member: &Member,
    ) -> Result<GetNodeStatusResponse, Status> {
        let request = request_for(node, GetNodeStatusRequest {});
        let answer = self.client(node, member).get_node_status(request).await?;
        Ok(answer.into_inner())
    }

    /// Asks a member how fit it is to lead; one that does not answer is not.
    pub(crate) async fn fitness(&self, node: NodeId, member: &Member) -> Fitness {
        let request = request_for(node, GetNodeStatusRequest {});
        let mut client = self.client(node, member);
        let asking = client.get_node_status(request);
        match tokio::time::timeout(PEER_STATUS_TIMEOUT, asking).await {
            Ok(Ok(answer)) if answer.get_ref().unable_to_lead => Fitness::Unable,
            Ok(Ok(answer)) if answer.get_ref().unfit_to_lead => Fitness::Unfit,
            Ok(Ok(answer)) if answer.get_ref().clock_behind => Fitness::ClockBehind,
            Ok(Ok(_)) => Fitness::Fit,
            Ok(Err(_)) | Err(_) => Fitness::Unable,
        }
    }

    /// Asks a member what its wall clock says; none when it does not answer in time.
    pub(crate) async fn wall_ms(&self, node: NodeId, member: &Member) -> Option<u64> {
        let asking = self.status(node, member);
        let told = tokio::time::timeout(PEER_STATUS_TIMEOUT, asking).await;
        let wall_ms = told.ok()?.ok()?.wall_ms;
        (wall_ms > 0).then_some(wall_ms)
    }

    /// Asks a member for the head of its audit log; none when it does not answer in time.
    pub(crate) async fn audit_head(
        &self,
        node: NodeId,
        member: &Member,
        asked: GetAuditHeadRequest,
    ) -> Option<GetAuditHeadResponse> {
        let mut client = self.client(node, member);
        let asking = client.get_audit_head(request_for(node, asked));
        match tokio::time::timeout(PEER_STATUS_TIMEOUT, asking).await {
            Ok(Ok(answer)) => Some(answer.into_inner()),
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// Hands a write to the leader.
    ///
    /// # Errors
    /// The status the client shall see.
    pub(crate) async fn forward(
        &self,
        leader: NodeId,
        member: &Member,
        intent: Bytes,
    ) -> Result<ForwardResponse, Status> {
        let request = request_for(leader, ForwardRequest { intent });
        Ok(self
            .client(leader, member)
            .forward(request)
            .await?
            .into_inner())
    }

    fn client(&self, node: NodeId, member: &Member) -> PeerServiceClient<Channel> {
        PeerServiceClient::new(self.channel(node, member))
            .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
    }

    /// The map has one entry a member: members are few, and ids of former ones are not asked for.
    fn channel(&self, node: NodeId, member: &Member) -> Channel {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        match channels.get(&node) {
            Some((known, channel)) if known == member => channel.clone(),
            Some(_) | None => {
                let channel = self.connect(node, member.clone());
                channels.insert(node, (member.clone(), channel.clone()));
                channel
            }
        }
    }

    /// Connects when the first request is sent, and again after a break.
    fn connect(&self, node: NodeId, member: Member) -> Channel {
        let connector = Arc::clone(&self.connector);
        let dial = service_fn(move |_: Uri| {
            let (connector, member) = (Arc::clone(&connector), member.clone());
            async move {
                let stream = connector
                    .connect(node, &member.addresses.peer, &member)
                    .await?;
                Ok::<_, std::io::Error>(TokioIo::new(stream))
            }
        });
        // The URI only fills the `:authority` header; the connector knows where to go.
        Endpoint::from_static("http://node.ward").connect_with_connector_lazy(dial)
    }
}
