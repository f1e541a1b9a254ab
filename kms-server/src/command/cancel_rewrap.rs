//! Ends a job that rewraps before it is complete. What was moved stays where it is.

use envelope::id::KeyId;
use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{Outcome, Refusal};
use crate::state::{Record, RecordId, RewrapRecord, RewrapState};

/// Which job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRewrap {
    /// Whose data keys.
    #[serde(with = "crate::state::wire::id16")]
    pub key_id: KeyId,
}

impl CancelRewrap {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let key = frame.index.key(&self.key_id);
        key.ok_or(Refusal::KeyNotFound)?;
        let job = frame.index.rewrap(&self.key_id);
        let running = job.filter(|job| job.state == RewrapState::Running);
        let job = running.ok_or(Refusal::RewrapNotFound)?.clone();
        end(frame, job, RewrapState::Cancelled);
        Ok(Outcome::RewrapCancelled {
            key_id: self.key_id,
        })
    }
}

/// Notes that a job runs no longer.
pub(super) fn end(frame: &mut Frame<'_>, job: RewrapRecord, state: RewrapState) {
    let key_id = job.key_id;
    let ended = RewrapRecord {
        state,
        ended_ms: frame.said_ms,
        ..job
    };
    frame.writes.remove(RecordId::RunningRewrap(key_id));
    frame
        .writes
        .put(RecordId::Rewrap(key_id), Record::Rewrap(Box::new(ended)));
}
