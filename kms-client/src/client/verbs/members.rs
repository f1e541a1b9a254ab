//! The members of the cluster: taking one out, and letting another lead.

use ward_proto::admin::v1 as admin;
use ward_proto::admin::v1::cluster_admin_service_client::ClusterAdminServiceClient;

use super::new_intent;
use crate::Client;
use crate::client::backoff::Backoff;
use crate::client::call::left;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::identity::NodeId;
use crate::model::{ClusterStatus, NodeRole, NodeStatus, Transfer};
use crate::reason::Reason;

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

    /// Lets another node lead, the fittest or the one named, and answers who does and who did. An
    /// operator verb. Asked to move leadership away from whoever leads, it moves it once, however
    /// often an answer is lost.
    ///
    /// # Errors
    ///
    /// `NODE_NOT_FOUND`; `CANNOT_LEAD` when that node, or any, has no vote, is silent, behind,
    /// sealed, or less fit than the leader; nothing has changed then. `NO_LEADER` when nobody was
    /// named and no node says within the deadline that it leads.
    pub async fn transfer_leadership(&self, to: Option<NodeId>) -> Result<Transfer, Error> {
        let former = match to {
            Some(_) => leader_of(&self.cluster_status().await?),
            None => Some(self.leader_to_move().await?),
        };
        let message = admin::TransferLeadershipRequest {
            node_id: to.map_or(0, |node| node.0),
            from_node_id: match to {
                Some(_) => 0,
                None => former.map_or(0, |node| node.0),
            },
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
        Ok(Transfer {
            former,
            leader: NodeId(answer.leader),
        })
    }

    /// Whose leadership is to move. Without one to name, each attempt would move it once more; and
    /// a former one would already have lost it.
    async fn leader_to_move(&self) -> Result<NodeId, Error> {
        let end = sys::clock::monotonic() + self.inner.deadline;
        let mut backoff = Backoff::default();
        loop {
            if let Some(leader) = leader_of(&self.cluster_status().await?) {
                return Ok(leader);
            }
            let pause = backoff.next();
            if left(end) <= pause {
                let message = "no node says that it leads, so nothing can move; see that most nodes \
                               run and reach each other";
                return Err(Error::new(Reason::NoLeader, message));
            }
            tokio::time::sleep(pause).await;
        }
    }
}

/// Who leads by its own word: a node that has not heard yet may still name the one before.
fn leader_of(status: &ClusterStatus) -> Option<NodeId> {
    let leads = |node: &&NodeStatus| Some(node.id) == status.leader;
    let leader = status.nodes.iter().find(leads)?;
    (leader.role == NodeRole::Leader).then_some(leader.id)
}
