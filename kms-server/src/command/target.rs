//! The revision of what a command changes. An approval names it: what was approved for one state
//! of a thing is not carried out on another.

use envelope::id::KeyId;

use super::Command;
use crate::state::{Index, Role};

impl Command {
    /// A number that is another one once what this command changes was changed; 0 where there is
    /// nothing yet.
    pub(crate) fn target_revision(&self, index: &Index) -> u64 {
        let key = |id: &KeyId| index.key(id).map_or(0, |key| key.revision);
        let key_named = |name: &str| index.key_by_name(name).map_or(0, |key| key.revision);
        let order = |device: &str| index.containment(device).epoch;
        match self {
            Self::CreateKey(command) => key_named(&command.name),
            Self::CreateTypedKey(command) => key_named(&command.key.name),
            Self::CreateImport(command) => key_named(&command.name),
            Self::ImportKey(command) => key_named(&command.key.key.name),
            Self::RotateKey(command) => key(&command.key_id),
            Self::RotateSigningKey(command) => key(&command.rotation.key_id),
            Self::SetKeyState(command) => key(&command.key_id),
            Self::SetVersionState(command) => key(&command.key_id),
            Self::SetKeyMinimum(command) => key(&command.key_id),
            Self::SetKeyLabels(command) => key(&command.key_id),
            Self::SetKeyRotation(command) => key(&command.key_id),
            Self::StartRewrap(command) => key(&command.key_id),
            Self::CancelRewrap(command) => key(&command.key_id),
            Self::PutAlias(command) => alias(index, &command.name),
            Self::DeleteAlias(command) => alias(index, &command.name),
            Self::EnrollDevice(command) => u64::from(index.device(&command.device_id).is_some()),
            Self::OrderContainment(command) => order(&command.device_id),
            Self::SetOfflineAllowance(command) => order(&command.device_id),
            Self::PutPolicy(command) => index.policy_revision(&command.policy_id),
            Self::PutEndingPolicy(command) => index.policy_revision(&command.put.policy_id),
            Self::DeletePolicy(command) => index.policy_revision(&command.policy_id),
            Self::PutQuota(command) => quota(index, command.role, &command.id),
            Self::DeleteQuota(command) => quota(index, command.role, &command.id),
            Self::CreateJoinToken(command) => joined(index, command.role, &command.id),
            Self::Approved(command) => command.command.target_revision(index),
            // A number of a node is never given twice; the others are nobody's to ask for.
            Self::RemoveNode(_)
            | Self::Genesis(_)
            | Self::ConsumeJoinToken(_)
            | Self::RecordCertificate(_)
            | Self::AnnounceGateway(_)
            | Self::AcknowledgeContainment(_)
            | Self::SettleContainment(_)
            | Self::RevokeGateway(_)
            | Self::ForgetGateway(_)
            | Self::AnchorAudit(_)
            | Self::RaiseFormat(_)
            | Self::ReportArchive(_)
            | Self::RequestApproval(_)
            | Self::ApproveRequest(_)
            | Self::RejectRequest(_) => 0,
            #[cfg(feature = "rehearse-upgrade")]
            Self::Rehearsal => 0,
        }
    }
}

fn alias(index: &Index, name: &str) -> u64 {
    index.alias(name).map_or(0, |alias| alias.revision)
}

fn quota(index: &Index, role: Role, id: &str) -> u64 {
    index.quota(role, id).map_or(0, |quota| quota.revision)
}

/// Whether somebody of this id is there, and with which key: an invitation of a new operator is
/// none to take the place of one who joined meanwhile.
fn joined(index: &Index, role: Role, id: &str) -> u64 {
    let identity = index.identity(role, id);
    let newest = identity.and_then(|identity| identity.keys.last());
    newest.map_or(0, |key| {
        let mut first = [0; 8];
        first.copy_from_slice(&key.spki_sha256[..8]);
        u64::from_be_bytes(first)
    })
}
