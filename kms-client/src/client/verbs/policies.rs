//! Policies: put, list, describe, try. All are operator verbs.

use std::time::Duration;

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
        let put = self.put(policy_id, text, Duration::ZERO).await?;
        Ok(put.revision)
    }

    /// As [`Self::put_policy`], of a policy that ends by itself after `life`, at most 366 days.
    /// Answers it without its text.
    ///
    /// # Errors
    ///
    /// As [`Self::put_policy`]; `INVALID_ARGUMENT` also for a life of less than a millisecond or
    /// more than 366 days.
    pub async fn put_ending_policy(
        &self,
        policy_id: &str,
        text: &str,
        life: Duration,
    ) -> Result<Policy, Error> {
        if life.as_millis() == 0 {
            let message = "a policy that ends lives for a millisecond or longer";
            return Err(Error::new(Reason::InvalidArgument, message));
        }
        self.put(policy_id, text, life).await
    }

    async fn put(&self, policy_id: &str, text: &str, life: Duration) -> Result<Policy, Error> {
        let message = admin::PutPolicyRequest {
            policy_id: policy_id.into(),
            text: text.into(),
            // Beyond what can be said is beyond what is allowed.
            ttl_ms: u64::try_from(life.as_millis()).unwrap_or(u64::MAX),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).put_policy(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        Ok(Policy {
            id: policy_id.to_owned(),
            revision: answer.revision,
            text: String::new(),
            ends_ms: Some(answer.ends_ms).filter(|ends_ms| *ends_ms != 0),
        })
    }

    /// Takes a policy out of force.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` when there is none of this id, and when the caller could change no policy
    /// any more.
    pub async fn delete_policy(&self, policy_id: &str) -> Result<(), Error> {
        let message = admin::DeletePolicyRequest {
            policy_id: policy_id.into(),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).delete_policy(request).await }
        });
        self.inner.saw(answer.await?.applied);
        Ok(())
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
