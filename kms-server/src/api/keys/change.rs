//! A change of one key: what all verbs share that change a key which there is.

use envelope::id::KeyVersion;
use ward_proto::v1::{self as proto, KeyRef, WriteOptions};

use super::current;
use crate::api::approvals::WriteRequest;
use crate::api::call::{Call, settle_revocation};
use crate::api::failure::Failure;
use crate::api::key_ref::FoundKey;
use crate::api::permitted::{Permitted, asked_for, permitted};
use crate::api::write::{Intent, OnConflict, key_of, propose_noting};
use crate::audit::AuditRecord;
use crate::command::Command;
use crate::policy::{Action, Facts};
use crate::replica::ReadBarrier;

/// A change that was asked for.
pub(super) struct Change<'a, F> {
    pub(super) action: Action,
    pub(super) key: Option<&'a KeyRef>,
    /// The version that it is about, for the audit record.
    pub(super) version: Option<KeyVersion>,
    pub(super) on_conflict: OnConflict,
    /// Whether it only takes something away, and so is answered though no audit log can be written.
    pub(super) revokes: bool,
    /// Makes the command, for the key as it was found and permitted.
    pub(super) command: F,
}

impl<F: Fn(&Call, &FoundKey) -> Result<Command, Failure>> Change<'_, F> {
    /// Carries it out; answers the key as it is afterwards, and where that stands.
    ///
    /// # Errors
    /// DENIED, KEY_NOT_FOUND, and what the command refuses.
    pub(super) async fn carry_out<M: WriteRequest>(
        &self,
        call: &Call,
        request: &M,
        write: Option<&WriteOptions>,
    ) -> Result<(proto::Key, u64), Failure> {
        let action = self.action;
        let intent = Intent::new(call, action.name(), request, write)?;
        let mut record = call.record(action.name(), "");
        asked_for(&mut record, self.key);
        record.key_version = self.version;
        let decide = |barrier: &ReadBarrier, record: &mut AuditRecord| {
            let Permitted { key, authorized } =
                permitted(call, barrier, action, self.key, Facts::None, record)?;
            Ok((authorized, (self.command)(call, &key)?))
        };
        let made = propose_noting(call, &intent, self.on_conflict, &mut record, decide).await;
        let made = made.and_then(|made| Ok((current(call, key_of(&made.outcome)?)?, made.index)));
        if let Ok((key, _)) = &made {
            // A repetition found no key: it was not decided again.
            record.resource.clone_from(&key.name);
        }
        match self.revokes {
            true => settle_revocation(&call.node, record, made).await,
            false => Ok(call.settle(record, made).await?.0),
        }
    }
}
