//! The rotation of one key whose time has come, by the cluster itself: who set its period was
//! permitted to. Called by the leader's chore (`node/rotation.rs`).

use envelope::id::{KeyId, KeyVersion};
use ring::digest::{SHA256, digest};

use super::rotate::next_version;
use crate::api::call::settle;
use crate::api::failure::Failure;
use crate::api::key_ref::FoundKey;
use crate::audit::AuditRecord;
use crate::command::{Idempotency, Outcome, Proposal, Refusal};
use crate::node::context::Node;
use crate::policy::Action;
use crate::replica::ProposeError;
use crate::state::KeyState;

/// A rotation that stands in the index of those that are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Since when.
    pub(crate) due_ms: u64,
    /// Of which key.
    pub(crate) key_id: KeyId,
}

/// Rotates the key, if that is still due behind a read barrier; answers whether it was. The record
/// is this node's. `now_ms` is what most nodes' clocks say, and dates the next rotation.
///
/// # Errors
/// What a write fails with.
pub(crate) async fn rotate_due(node: &Node, due: Due, now_ms: u64) -> Result<bool, Failure> {
    node.replica.read_barrier().await?;
    let Some(found) = still_due(node, due) else {
        return Ok(false);
    };
    let own = node.identity.load().id().to_string();
    let wall_ms = sys::clock::wall_ms();
    let mut record = AuditRecord::new(wall_ms, &own, Action::RotateKey.name(), &found.name);
    record.key_id = Some(found.key_id);
    record.order = Some("by=period".to_owned());
    record.applied_index = node.replica.applied_index();
    let made = match next_version(&node.vault, &found, now_ms) {
        Err(failure) => Err(failure),
        Ok(command) => {
            let proposal = Proposal {
                time_ms: now_ms,
                idempotency: Some(intent(due)),
                guard: None,
                command,
            };
            match node.replica.propose(proposal).await {
                // Somebody changed the key meanwhile: the next look finds what is due then.
                Err(ProposeError::Refused(Refusal::Conflict)) => return Ok(false),
                made => made.map_err(Failure::from),
            }
        }
    };
    if let Ok(applied) = &made
        && let Outcome::KeyRotated { version, .. } = applied.outcome
    {
        record.key_version = Some(KeyVersion(version));
    }
    settle(node, record, made).await?;
    Ok(true)
}

/// The key at its primary version, if this very rotation is still due.
fn still_due(node: &Node, due: Due) -> Option<FoundKey> {
    node.replica.read(|index| {
        let key = index.key(&due.key_id)?;
        let rotation = index.key_rotation(&due.key_id)?;
        let awaited = key.state == KeyState::Enabled && rotation.due_ms == due.due_ms;
        awaited.then(|| FoundKey::of_primary(index, key))?
    })
}

/// One intent for each time at which a key is due, whichever leader has it.
fn intent(due: Due) -> Idempotency {
    let bytes = [&due.due_ms.to_be_bytes()[..], due.key_id.as_bytes()].concat();
    let hash = digest(&SHA256, &bytes);
    let (mut key, mut request_sha256) = ([0; 16], [0; 32]);
    key.copy_from_slice(&hash.as_ref()[..16]);
    request_sha256.copy_from_slice(hash.as_ref());
    // Callers are named by URIs, so this is nobody's name.
    Idempotency::new("rotation by period", &key, request_sha256)
}
