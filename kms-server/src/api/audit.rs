//! Reading this node's audit log: for auditors, in pages, and recorded in the log itself.
//!
//! Who reads on, page after page or following the end, is recorded once a minute: a record for
//! each page would make the reader its own news.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ward_proto::v1::{
    AuditFile, ListAuditFilesResponse, ReadAuditAnchorsResponse, ReadAuditFileRequest,
    ReadAuditFileResponse,
};

use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::audit::{READ_BYTES_MAX, ScanError};
use crate::limits::RATED_IDENTITIES_MAX;
use crate::node::anchors;
use crate::policy::{Action, Facts, Resource};

/// Serves ListAuditFiles.
pub(crate) async fn list(call: &Call) -> Result<ListAuditFilesResponse, Failure> {
    permit(call).await?;
    let files = call.node.audit.files().await?;
    let file = |file: crate::audit::AuditFile| AuditFile {
        name: file.name,
        bytes: file.bytes,
    };
    Ok(ListAuditFilesResponse {
        files: files.into_iter().map(file).collect(),
        node_id: call.node.id.0,
    })
}

/// Serves ReadAuditFile.
pub(crate) async fn read(
    call: &Call,
    request: ReadAuditFileRequest,
) -> Result<ReadAuditFileResponse, Failure> {
    permit(call).await?;
    let ReadAuditFileRequest { name, offset } = request;
    let data = call.node.audit.read(name, offset, READ_BYTES_MAX).await?;
    Ok(ReadAuditFileResponse { data: data.into() })
}

/// Serves ReadAuditAnchors.
pub(crate) async fn anchors(call: &Call) -> Result<ReadAuditAnchorsResponse, Failure> {
    permit(call).await?;
    let document = anchors::document(&call.node).to_json();
    Ok(ReadAuditAnchorsResponse {
        document: document.into(),
    })
}

/// Lets an auditor read, behind a barrier, and records it unless that was done a moment ago.
async fn permit(call: &Call) -> Result<(), Failure> {
    let action = Action::ReadAudit;
    let mut record = call.record(action.name(), &format!("node-{}", call.node.id));
    let permitted = match call.barrier().await {
        Ok(_barrier) => call.permit(&mut record, action, Resource::Cluster, Facts::None),
        Err(failure) => Err(failure),
    };
    if permitted.is_ok() && call.node.audit_readers.is_known(&record.principal) {
        return Ok(());
    }
    let reader = record.principal.clone();
    let (_authorized, _durable) = call.settle(record, permitted).await?;
    call.node.audit_readers.remember(reader);
    Ok(())
}

/// Who was recorded lately.
#[derive(Default)]
pub(crate) struct Readers(Mutex<HashMap<String, Instant>>);

impl Readers {
    fn is_known(&self, reader: &str) -> bool {
        let readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        readers
            .get(reader)
            .is_some_and(|since| sys::clock::monotonic() - *since < KNOWN_FOR)
    }

    fn remember(&self, reader: String) {
        let mut readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = sys::clock::monotonic();
        if readers.len() >= RATED_IDENTITIES_MAX {
            readers.retain(|_, since| now - *since < KNOWN_FOR);
        }
        // Whoever finds no room is recorded with each page.
        if readers.len() < RATED_IDENTITIES_MAX {
            readers.insert(reader, now);
        }
    }
}

impl From<ScanError> for Failure {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Self::invalid("the log has no such file; list its files again")
            }
            ScanError::Read { .. } | ScanError::Broken { .. } => {
                tracing::error!(%error, "the audit log cannot be read");
                let message = "the audit log cannot be read; mend its disk or its permissions";
                Self::new(kms_client::reason::Reason::AuditUnavailable, message)
            }
        }
    }
}

const KNOWN_FOR: Duration = Duration::from_secs(60);
