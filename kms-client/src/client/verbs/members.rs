//! The members of the cluster: taking one out, and inviting one in another's place.

use std::time::Duration;

use envelope::token::JoinToken;
use ward_proto::admin::v1 as admin;
use ward_proto::admin::v1::cluster_admin_service_client::ClusterAdminServiceClient;
use ward_proto::admin::v1::token_admin_service_client::TokenAdminServiceClient;

use super::new_intent;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::identity::{NodeId, Role};
use crate::model::{CreatedJoinToken, malformed_answer};

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

    /// Makes a token by which a node can join in the place of one that is lost. The former member
    /// is removed once the new one votes and it has not answered for some seconds. An operator
    /// verb.
    ///
    /// # Errors
    ///
    /// `NODE_NOT_FOUND` when `former` is no member; `INVALID_ARGUMENT` for a life beyond 24 hours.
    pub async fn create_replacement_token(
        &self,
        former: NodeId,
        life: Duration,
    ) -> Result<CreatedJoinToken, Error> {
        let message = admin::CreateJoinTokenRequest {
            role: Role::Node.as_str().into(),
            id: String::new(),
            ttl_ms: u64::try_from(life.as_millis()).unwrap_or(u64::MAX),
            write: new_intent()?,
            replaces: former.0,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move {
                TokenAdminServiceClient::new(attempt.channel)
                    .create_join_token(request)
                    .await
            }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        let token = JoinToken::decode(&answer.token).map_err(|_| malformed_answer("join token"))?;
        Ok(CreatedJoinToken {
            token,
            expires_ms: answer.expires_ms,
        })
    }
}
