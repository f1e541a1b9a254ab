//! Quotas: put, list, delete. All are operator verbs.

use tonic::transport::Channel;
use ward_proto::admin::v1 as admin;
use ward_proto::admin::v1::quota_admin_service_client::QuotaAdminServiceClient;

use super::new_intent;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::identity::Role;
use crate::model::{Quota, QuotaLimit, Quotas, malformed_answer};

impl Client {
    /// Sets the quota of an identity, or with no `id` of all of a role that have none of their own.
    /// `limits` replace all that there were; what was used before counts against them.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` for another role than application and operator, and for limits that say
    /// nothing or too much. `VERSION_NEWER` while a node of the cluster does not know quotas.
    pub async fn put_quota(
        &self,
        role: Role,
        id: Option<&str>,
        limits: &[QuotaLimit],
    ) -> Result<Quota, Error> {
        let message = admin::PutQuotaRequest {
            role: role.to_string(),
            id: id.unwrap_or_default().into(),
            limits: limits.iter().map(admin::QuotaLimit::from).collect(),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).put_quota(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        let quota = answer.quota.ok_or_else(|| malformed_answer("quota"))?;
        quota.try_into()
    }

    /// Lists all quotas.
    ///
    /// # Errors
    ///
    /// As every verb: what no node answered before the deadline.
    pub async fn list_quotas(&self) -> Result<Quotas, Error> {
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(admin::ListQuotasRequest {});
            async move { operator(attempt.channel).list_quotas(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        let quotas = answer.quotas.into_iter().map(Quota::try_from);
        Ok(Quotas {
            quotas: quotas.collect::<Result<_, _>>()?,
            nodes: answer.nodes,
        })
    }

    /// Takes a quota away: that of the role counts then, if there is one.
    ///
    /// # Errors
    ///
    /// `INVALID_ARGUMENT` when there is none.
    pub async fn delete_quota(&self, role: Role, id: Option<&str>) -> Result<(), Error> {
        let message = admin::DeleteQuotaRequest {
            role: role.to_string(),
            id: id.unwrap_or_default().into(),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).delete_quota(request).await }
        });
        self.inner.saw(answer.await?.applied);
        Ok(())
    }
}

fn operator(channel: Channel) -> QuotaAdminServiceClient<Channel> {
    QuotaAdminServiceClient::new(channel)
}
