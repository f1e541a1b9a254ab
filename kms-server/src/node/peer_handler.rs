//! Answers peers that ask for more than Raft: forwarded writes, and this node's status.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tonic::Status;
use ward_proto::peer::v1::{GetAuditHeadRequest, GetAuditHeadResponse};
use ward_proto::v1::NodeStatus;

use crate::api::cluster::node_status;
use crate::api::forward;
use crate::node::anchors;
use crate::node::context::Node;
use crate::raft::peer::{Fitness, PeerHandler};
use crate::state::NodeId;

/// This node, towards its peers.
pub(crate) struct Handler(pub(crate) Arc<Node>);

#[async_trait]
impl PeerHandler for Handler {
    async fn forward(&self, from: NodeId, intent: Bytes) -> Result<(Bytes, u64), Status> {
        tracing::debug!(%from, "a write was handed over");
        Ok(forward::take(&self.0, from, &intent).await?)
    }

    fn node_status(&self) -> NodeStatus {
        node_status::own(&self.0)
    }

    fn fitness(&self) -> Fitness {
        self.0.fitness()
    }

    async fn audit_head(&self, asked: GetAuditHeadRequest) -> GetAuditHeadResponse {
        anchors::own_head(&self.0, asked).await
    }
}
