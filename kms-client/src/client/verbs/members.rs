//! The members of the cluster: taking one out, and letting another lead.

use ward_proto::admin::v1 as admin;
use ward_proto::admin::v1::cluster_admin_service_client::ClusterAdminServiceClient;

use super::new_intent;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::identity::NodeId;

impl Client {
    /// Takes a node out of the cluster for good and answers the voters that remain. An operator
    /// verb; a leader that is to go hands over, and its successor does it.
    ///
    /// # Errors
    ///
    /// `NODE_NOT_FOUND`; `QUORUM_AT_RISK` when it is the last voter, or too few of the others
    /// answer and have caught up.
    pub async fn remove_node(&self, node: NodeId) -> Result<Vec<NodeId>, Error> {
        let message = admin::RemoveNodeRequest {
            node_id: node.0,
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move {
                ClusterAdminServiceClient::new(attempt.channel)
                    .remove_node(request)
                    .await
            }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        Ok(answer.voters.into_iter().map(NodeId).collect())
    }
    /// Lets another node lead, the fittest or the one named, and answers who does. An operator
    /// verb. Asked to move leadership away from whoever leads, it moves it once, however often an
    /// answer is lost.
    ///
    /// # Errors
    ///
    /// `NODE_NOT_FOUND`; `CANNOT_LEAD` when that node, or any, has no vote, is silent, behind,
    /// sealed, or less fit than the leader; nothing has changed then.
    pub async fn transfer_leadership(&self, to: Option<NodeId>) -> Result<NodeId, Error> {
        let from = match to {
            Some(_) => None,
            None => self.cluster_status().await?.leader,
        };
        let message = admin::TransferLeadershipRequest {
            node_id: to.map_or(0, |node| node.0),
            from_node_id: from.map_or(0, |node| node.0),
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message);
            async move {
                ClusterAdminServiceClient::new(attempt.channel)
                    .transfer_leadership(request)
                    .await
            }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        Ok(NodeId(answer.leader))
    }
}
