//! Policies: put, list, describe, try. All are operator verbs.

use tonic::transport::Channel;
use ward_proto::admin::v1 as admin;
use ward_proto::admin::v1::policy_admin_service_client::PolicyAdminServiceClient;

use super::new_intent;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::model::{Decision, Policy, Question};
use crate::reason::Reason;

impl Client {
    /// Writes or replaces a policy and answers its revision. `text` is Cedar; what it may speak of
    /// is in the cluster's schema. It is in force from the answer on.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT`, with the line, when it does not parse or does not fit the schema, has an
    /// id that begins with `ward:`, and when the caller could change no policy any more.
    /// `VERSION_NEWER` while a node of the cluster does not know an action that it names.
    pub async fn put_policy(&self, policy_id: &str, text: &str) -> Result<u64, Error> {
        let message = admin::PutPolicyRequest {
            policy_id: policy_id.into(),
            text: text.into(),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).put_policy(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        Ok(answer.revision)
    }

    /// Lists the policies that were put, by id, without their texts.
    ///
    /// # Errors
    ///
    /// As every verb: what no node answered before the deadline.
    pub async fn list_policies(&self) -> Result<Vec<Policy>, Error> {
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(admin::ListPoliciesRequest {});
            async move { operator(attempt.channel).list_policies(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        Ok(answer.policies.into_iter().map(Policy::from).collect())
    }

    /// Describes one policy, with its text.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` when there is none of this id.
    pub async fn describe_policy(&self, policy_id: &str) -> Result<Policy, Error> {
        let message = admin::DescribePolicyRequest {
            policy_id: policy_id.into(),
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).describe_policy(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        let policy = answer
            .policy
            .ok_or_else(|| Error::new(Reason::Internal, "the node answered without the policy"))?;
        Ok(policy.into())
    }

    /// Tells how a request would be decided now, and by which policies. Nothing is done, and
    /// neither who asks nor what is asked about need exist.
    ///
    /// With a `draft`, its id and its text, as if that had been put.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for an action that there is not, for ids and names that there cannot be,
    /// and for a draft that could not be put.
    pub async fn explain_decision(
        &self,
        question: &Question,
        draft: Option<(&str, &str)>,
    ) -> Result<Decision, Error> {
        let message = question.to_message(draft);
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).explain_decision(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        answer.try_into()
    }
}

fn operator(channel: Channel) -> PolicyAdminServiceClient<Channel> {
    PolicyAdminServiceClient::new(channel)
}
