//! A request as a second operator is asked about it.

use envelope::approval::{approval_id, request_sha256};
use kms_client::reason::Reason;
use prost::Message;
use ward_proto::admin::v1 as admin;

use crate::api::call::Call;
use crate::api::failure::Failure;
use crate::command::{Command, Outcome, RequestApproval};
use crate::keyring::Place;
use crate::replica::Applied;
use crate::state::{ApprovalId, ApprovalRecord, Role};

/// A request for a change. Its options name the intent and are no part of what is asked.
pub(crate) trait WriteRequest: Message {
    /// The message's name in its package.
    const NAME: &'static str;

    /// The encoded request without its options.
    fn without_options(&self) -> Vec<u8>;
}

macro_rules! write_requests {
    ($($message:ident)*) => {
        $(impl WriteRequest for admin::$message {
            const NAME: &'static str = stringify!($message);

            fn without_options(&self) -> Vec<u8> {
                Self { write: None, ..self.clone() }.encode_to_vec()
            }
        })*

        #[cfg(test)]
        pub(super) const NAMES: &[&str] = &[$(stringify!($message)),*];
    };
}

write_requests! {
    ApproveRequestRequest CancelRewrapRequest ContainDeviceRequest CreateJoinTokenRequest
    CreateKeyRequest CreateTypedKeyRequest DeleteAliasRequest DeletePolicyRequest
    DeleteQuotaRequest DisableKeyRequest DisableKeyVersionRequest EnableKeyRequest
    EnableKeyVersionRequest EnrollDeviceRequest GetImportParametersRequest ImportKeyRequest
    PutAliasRequest PutPolicyRequest PutQuotaRequest RejectRequestRequest ReleaseDeviceRequest
    RemoveNodeRequest RevokeDeviceRequest RevokeGatewayRequest RotateKeyRequest
    SetKeyLabelsRequest SetKeyMinimumRequest SetKeyRotationRequest SetOfflineAllowanceRequest
    StartRewrapRequest
}

/// What a second operator would be asked.
pub(crate) struct Question {
    message: &'static str,
    request: Vec<u8>,
    request_sha256: [u8; 32],
}

impl Question {
    /// About this request.
    pub(crate) fn about<M: WriteRequest>(request: &M) -> Self {
        let request = request.without_options();
        Self {
            message: M::NAME,
            request_sha256: request_sha256(M::NAME, &request),
            request,
        }
    }

    fn id(&self, call: &Call) -> ApprovalId {
        approval_id(call.caller.id.id(), &self.request_sha256)
    }

    /// The approval of this request of this caller, if it is meant for what `command` changes as it
    /// stands. Apply looks again.
    pub(crate) fn approved(&self, call: &Call, command: &Command) -> Option<ApprovalRecord> {
        call.node.replica.read(|index| {
            let found = index.approval(&self.id(call))?;
            let approver = found.approver.as_ref();
            let fits = approver.is_some_and(|approver| index.is_honoured(approver))
                && found.expires_ms > index.counters().time_ms.max(sys::clock::wall_ms())
                && found.target_revision == command.target_revision(index);
            fits.then(|| found.clone())
        })
    }

    /// The command that keeps the request until another operator approves it.
    ///
    /// # Errors
    /// INVALID_ARGUMENT when it is too large to be kept; when it cannot be sealed.
    pub(crate) fn ask(
        &self,
        call: &Call,
        command: &Command,
        resource: &str,
    ) -> Result<Command, Failure> {
        if call.caller.role != Role::Operator {
            return Err(Failure::internal(
                "an approval was asked for by no operator",
            ));
        }
        if self.request.len() > REQUEST_BYTES_MAX {
            let message = "a request that needs an approval has at most 40 KiB; make it smaller";
            return Err(Failure::invalid(message));
        }
        let approval_id = self.id(call);
        let (target_revision, former) = call.node.replica.read(|index| {
            let former = index.approval(&approval_id);
            let former = former.map_or(0, |former| former.sealed.revision);
            (command.target_revision(index), former)
        });
        let sealed = call.node.vault.seal_record(
            &Place::approval(&approval_id),
            former + 1,
            sys::clock::wall_ms(),
            &self.request,
        )?;
        Ok(Command::RequestApproval(Box::new(RequestApproval {
            approval_id,
            message: self.message.to_owned(),
            resource: resource.to_owned(),
            request_sha256: self.request_sha256,
            sealed,
            target_revision,
        })))
    }
}

/// The answer to whoever asked.
pub(crate) fn required(asked: &Applied) -> Failure {
    let Outcome::ApprovalRequested { approval_id, .. } = &asked.outcome else {
        return Failure::internal("a write answered as another verb");
    };
    let id = hex::encode(approval_id);
    let message = format!(
        "a policy asks for a second operator: let one run `ward approve {id}` within 24 hours, then \
         repeat this request as it is"
    );
    Failure::new(Reason::ApprovalRequired, message)
}

/// Less than a sealed record may hold.
const REQUEST_BYTES_MAX: usize = 40 * 1_024;

#[cfg(test)]
mod tests {
    use prost_reflect::DescriptorPool;

    use super::*;

    #[test]
    fn every_request_that_can_wait_is_known() {
        let pool = DescriptorPool::decode(ward_proto::DESCRIPTORS).unwrap();
        let messages = pool
            .all_messages()
            .filter(|message| message.package_name() == "ward.admin.v1")
            .filter(|message| message.get_field_by_name("write").is_some());
        let named: Vec<_> = messages.map(|message| message.name().to_owned()).collect();
        let unknown = named.iter().filter(|name| !NAMES.contains(&name.as_str()));
        assert_eq!(unknown.collect::<Vec<_>>(), Vec::<&String>::new());
        assert!(!named.is_empty());
    }

    #[test]
    fn the_options_are_no_part_of_what_is_asked() {
        let with = |key: &'static [u8]| admin::DisableKeyRequest {
            key: None,
            write: Some(ward_proto::v1::WriteOptions {
                idempotency_key: key.into(),
            }),
        };
        let [one, other] = [with(b"1"), with(b"2")].map(|request| Question::about(&request));
        assert_eq!(one.request_sha256, other.request_sha256);
        assert!(one.request.is_empty());
        // The same bytes as another message are another request.
        let enable = Question::about(&admin::EnableKeyRequest::default());
        assert_ne!(enable.request_sha256, one.request_sha256);
    }
}
