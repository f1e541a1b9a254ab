//! The format of the state, gated by the slowest member: the leader raises it once every member
//! says that it knows the newer one (docs/adr/0011-removal.md).

use std::sync::Arc;

use openraft::async_runtime::WatchReceiver;
use ward_proto::peer::v1::GetNodeStatusRequest;

use super::limits::{FORMAT_INTERVAL, FORMAT_PATIENCE};
use super::membership::Membership;
use crate::command::{Command, Proposal, RaiseFormat};
use crate::raft::network::{Lane, request_for};
use crate::state::NodeId;

impl Membership {
    /// Runs until it is aborted. Costs nothing while the state has the format that this program
    /// knows.
    pub(super) async fn raise_formats(self: Arc<Self>) {
        loop {
            tokio::time::sleep(FORMAT_INTERVAL).await;
            self.raise_format().await;
        }
    }

    async fn raise_format(&self) {
        let metrics = self.raft.metrics().borrow_watched().clone();
        let members: Vec<_> = metrics.membership_config.membership().nodes().collect();
        let (present, next_node_id, all_in) = {
            let index = self.core.cell.index();
            let present = index.cluster().map(|cluster| cluster.format_version);
            // Who joined and is no member yet cannot be asked.
            let all_in = index
                .nodes()
                .all(|it| members.iter().any(|(id, _)| **id == it.node_id));
            (present, index.counters().next_node_id, all_in)
        };
        let known = self.core.format_known();
        #[cfg(feature = "rehearse-upgrade")]
        if present == Some(known) && metrics.current_leader == Some(self.own_id) {
            self.rehearse().await;
        }
        let leads = metrics.current_leader == Some(self.own_id) && !self.candidacy.is_sealed();
        let Some(present) = present.filter(|present| *present < known && leads && all_in) else {
            return;
        };
        let others = members.iter().map(|(id, _)| **id);
        let others = others.filter(|id| *id != self.own_id);
        let told = futures::future::join_all(others.map(|id| self.known_by(id))).await;
        let version = told.into_iter().fold(known, u32::min);
        if version <= present {
            return;
        }
        let command = Command::RaiseFormat(RaiseFormat {
            version,
            next_node_id,
        });
        let proposal = Proposal::internal(sys::clock::wall_ms(), command);
        match self.raft.client_write(proposal).await {
            Ok(_) => tracing::info!(version, "every member knows a newer format; it is raised"),
            Err(error) => tracing::warn!(%error, "the format is not raised yet"),
        }
    }

    /// Writes what only a newer program can read, as soon as it may.
    #[cfg(feature = "rehearse-upgrade")]
    async fn rehearse(&self) {
        let proposal = Proposal::internal(sys::clock::wall_ms(), Command::Rehearsal);
        if let Err(error) = self.raft.client_write(proposal).await {
            tracing::debug!(%error, "the rehearsal is not written yet");
        }
    }

    /// The newest format that a member knows; 0 of one that does not tell.
    async fn known_by(&self, node: NodeId) -> u32 {
        let mut client = self.peers.client(node, Lane::Control);
        let asking = client.get_node_status(request_for(node, GetNodeStatusRequest {}));
        match tokio::time::timeout(FORMAT_PATIENCE, asking).await {
            Ok(Ok(status)) => status.get_ref().format_known,
            Ok(Err(_)) | Err(_) => 0,
        }
    }
}
