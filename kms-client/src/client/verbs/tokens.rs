//! Join tokens.

use std::time::Duration;

use envelope::token::JoinToken;
use ward_proto::admin::v1 as admin;
use ward_proto::admin::v1::token_admin_service_client::TokenAdminServiceClient;

use super::new_intent;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::identity::{NodeId, Role};
use crate::model::{CreatedJoinToken, malformed_answer};

impl Client {
    /// Makes a token by which one identity can [`join`](crate::join::join()). `id` is `None` for a
    /// node alone: the cluster gives it one. An operator verb.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for a life beyond 24 hours, or an id that is none.
    pub async fn create_join_token(
        &self,
        role: Role,
        id: Option<&str>,
        life: Duration,
    ) -> Result<CreatedJoinToken, Error> {
        self.make_token(admin::CreateJoinTokenRequest {
            role: role.as_str().into(),
            id: id.unwrap_or_default().into(),
            ttl_ms: u64::try_from(life.as_millis()).unwrap_or(u64::MAX),
            write: new_intent()?,
            replaces: 0,
        })
        .await
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
        self.make_token(admin::CreateJoinTokenRequest {
            role: Role::Node.as_str().into(),
            id: String::new(),
            ttl_ms: u64::try_from(life.as_millis()).unwrap_or(u64::MAX),
            write: new_intent()?,
            replaces: former.0,
        })
        .await
    }

    async fn make_token(
        &self,
        message: admin::CreateJoinTokenRequest,
    ) -> Result<CreatedJoinToken, Error> {
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
