//! The audit logs, as files: each node serves its own.

use tonic::transport::Channel;
use ward_proto::v1;
use ward_proto::v1::audit_service_client::AuditServiceClient;

use crate::Client;
use crate::client::nodes::Route;
use crate::error::Error;
use crate::limits::ANSWER_BYTES_MAX;
use crate::model::AuditFile;

impl Client {
    /// Lists the files of a node's audit log, oldest first. Bind the client to one node
    /// ([`only_node`](crate::ClientBuilder::only_node)): each has a log of its own.
    ///
    /// # Errors
    ///
    /// `DENIED` unless a policy lets the caller read audit logs.
    pub async fn audit_files(&self) -> Result<Vec<AuditFile>, Error> {
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(v1::ListAuditFilesRequest {});
            async move { reader(attempt.channel).list_audit_files(request).await }
        });
        let files = answer.await?.files.into_iter();
        let file = |file: v1::AuditFile| AuditFile {
            name: file.name,
            bytes: file.bytes,
        };
        Ok(files.map(file).collect())
    }

    /// Reads a stretch of such a file, as long as the node gives at once; empty at its end.
    ///
    /// # Errors
    ///
    /// As [`audit_files`](Self::audit_files); `INVALID_ARGUMENT` when there is no such file.
    pub async fn read_audit_file(&self, name: &str, offset: u64) -> Result<Vec<u8>, Error> {
        let message = v1::ReadAuditFileRequest {
            name: name.to_owned(),
            offset,
        };
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(message.clone());
            async move { reader(attempt.channel).read_audit_file(request).await }
        });
        Ok(answer.await?.data.into())
    }

    /// Tells what a node knows of every node's log, keys and anchors: a JSON document whose form
    /// docs/audit.md freezes.
    ///
    /// # Errors
    ///
    /// As [`audit_files`](Self::audit_files).
    pub async fn audit_anchors(&self) -> Result<Vec<u8>, Error> {
        let answer = self.inner.call(Route::AnyNode, |attempt| {
            let request = attempt.request(v1::ReadAuditAnchorsRequest {});
            async move { reader(attempt.channel).read_audit_anchors(request).await }
        });
        Ok(answer.await?.document.into())
    }
}

fn reader(channel: Channel) -> AuditServiceClient<Channel> {
    AuditServiceClient::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX)
}
