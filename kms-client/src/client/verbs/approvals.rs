//! Approvals: list, describe, approve, reject. All are operator verbs.

use bytes::Bytes;
use tonic::transport::Channel;
use ward_proto::admin::v1 as admin;
use ward_proto::admin::v1::approval_admin_service_client::ApprovalAdminServiceClient;

use super::new_intent;
use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::model::{Approval, ApprovalId, ApprovalRequest, malformed_answer};

impl Client {
    /// Lists what waits for a second operator, and what is approved and not carried out yet.
    ///
    /// # Errors
    ///
    /// As every verb: what no node answered before the deadline.
    pub async fn list_approvals(&self) -> Result<Vec<Approval>, Error> {
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(admin::ListApprovalsRequest {});
            async move { operator(attempt.channel).list_approvals(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        answer
            .approvals
            .into_iter()
            .map(Approval::try_from)
            .collect()
    }

    /// Describes one of them, with its request.
    ///
    /// # Errors
    ///
    /// `APPROVAL_NOT_FOUND` when there is none of this id any more.
    pub async fn describe_approval(&self, id: &ApprovalId) -> Result<ApprovalRequest, Error> {
        let message = admin::DescribeApprovalRequest {
            approval_id: Bytes::copy_from_slice(id),
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).describe_approval(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        let cluster_id = <[u8; 16]>::try_from(&*answer.cluster_id);
        let cluster_id = cluster_id.map_err(|_| malformed_answer("id of the cluster"))?;
        let approval = answer
            .approval
            .ok_or_else(|| malformed_answer("approval"))?;
        Ok(ApprovalRequest {
            approval: approval.try_into()?,
            request: answer.request.to_vec(),
            cluster_id: envelope::id::ClusterId::from_bytes(cluster_id),
        })
    }

    /// Approves a request that was shown, by a signature of this client's own key.
    ///
    /// # Errors
    ///
    /// `DENIED` to the operator who asks and to operators whom they invited. `CONFLICT` when
    /// another request stands there by now than was shown. `VERIFY_FAILED` when what was shown does
    /// not belong together.
    pub async fn approve_request(&self, shown: &ApprovalRequest) -> Result<Approval, Error> {
        let identity = self.inner.nodes.identity();
        let approval = &shown.approval;
        let message = admin::ApproveRequestRequest {
            approval_id: Bytes::copy_from_slice(&approval.id),
            request_sha256: Bytes::copy_from_slice(&approval.request_sha256),
            target_revision: approval.target_revision,
            expires_ms: approval.expires_ms,
            signature: identity.sign_p256(&shown.statement()?)?.into(),
            public_key: identity.public_key()?.into(),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).approve_request(request).await }
        });
        let answer = answer.await?;
        self.inner.saw(answer.applied);
        // None is left of one that was carried out in between.
        let present = answer.approval.map(Approval::try_from).transpose()?;
        Ok(present.unwrap_or_else(|| Approval {
            approver: Some(identity.id().id().to_owned()),
            ..approval.clone()
        }))
    }

    /// Ends a request, whether or not it was approved.
    ///
    /// # Errors
    ///
    /// `APPROVAL_NOT_FOUND` when there is none of this id any more.
    pub async fn reject_request(&self, id: &ApprovalId) -> Result<(), Error> {
        let message = admin::RejectRequestRequest {
            approval_id: Bytes::copy_from_slice(id),
            write: new_intent()?,
        };
        let answer = self.inner.call(Route::Leader, |attempt| {
            let request = attempt.request(message.clone());
            async move { operator(attempt.channel).reject_request(request).await }
        });
        self.inner.saw(answer.await?.applied);
        Ok(())
    }
}

fn operator(channel: Channel) -> ApprovalAdminServiceClient<Channel> {
    ApprovalAdminServiceClient::new(channel)
}
