//! Begins a job that moves archived data keys to newer versions of their key, or follows the one
//! that runs.

use envelope::id::KeyId;
use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::report_archive::nobody_is_waited_for;
use super::{Outcome, Refusal};
use crate::state::{
    KeyState, REWRAP_RATE_DEFAULT, REWRAP_RATE_MAX, Record, RecordId, RewrapRecord, RewrapState,
};

/// The job as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRewrap {
    /// Whose data keys.
    #[serde(with = "crate::state::wire::id16")]
    pub key_id: KeyId,
    /// The primary version that the leader saw; another one by now is a conflict.
    pub target: u32,
    /// Data keys a second at each gateway; 0 for the usual rate, or that of the job that runs.
    pub rate: u32,
    /// The SPIFFE URI of who asks.
    pub by: String,
}

impl StartRewrap {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        if self.rate > REWRAP_RATE_MAX || self.by.len() > BY_BYTES_MAX {
            return Err(Refusal::TooLarge);
        }
        let key = frame.index.key(&self.key_id).ok_or(Refusal::KeyNotFound)?;
        if key.state == KeyState::Disabled {
            return Err(Refusal::KeyDisabled);
        }
        if key.primary != self.target {
            return Err(Refusal::Conflict);
        }
        let former = frame.index.rewrap(&self.key_id);
        let job = match former.filter(|job| self.follows(job)) {
            Some(running) => RewrapRecord {
                rate: if self.rate == 0 {
                    running.rate
                } else {
                    self.rate
                },
                ..running.clone()
            },
            None => self.begun(former, frame)?,
        };
        let running = RecordId::RunningRewrap(self.key_id);
        match job.state {
            RewrapState::Running => frame.writes.put(running, Record::RunningRewrap),
            // Where no gateway keeps an archive there is nothing to do; the job that is followed
            // in its place was another one.
            RewrapState::Complete | RewrapState::Cancelled => frame.writes.remove(running),
        }
        let number = job.number;
        frame
            .writes
            .put(RecordId::Rewrap(self.key_id), Record::Rewrap(Box::new(job)));
        Ok(Outcome::RewrapStarted {
            key_id: self.key_id,
            number,
        })
    }

    /// Whether the job that runs does what is asked for.
    fn follows(&self, job: &RewrapRecord) -> bool {
        job.state == RewrapState::Running && job.target == self.target
    }

    fn begun(
        &self,
        former: Option<&RewrapRecord>,
        frame: &Frame<'_>,
    ) -> Result<RewrapRecord, Refusal> {
        let runs = former.is_some_and(|job| job.state == RewrapState::Running);
        if !runs && frame.index.running_rewraps().count() >= REWRAPS_MAX {
            return Err(Refusal::RewrapsFull);
        }
        let nobody = nobody_is_waited_for(frame.index);
        let (state, ended_ms) = match nobody {
            true => (RewrapState::Complete, frame.said_ms),
            false => (RewrapState::Running, 0),
        };
        Ok(RewrapRecord {
            key_id: self.key_id,
            number: former.map_or(0, |job| job.number).saturating_add(1),
            target: self.target,
            rate: if self.rate == 0 {
                REWRAP_RATE_DEFAULT
            } else {
                self.rate
            },
            state,
            started_ms: frame.said_ms,
            ended_ms,
            by: self.by.clone(),
        })
    }
}

/// Jobs that may run at once: each gateway tells how far it is with each of them.
pub(crate) const REWRAPS_MAX: usize = 256;
/// A SPIFFE URI is shorter.
const BY_BYTES_MAX: usize = 2_048;
