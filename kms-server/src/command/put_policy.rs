//! Writes or replaces a policy.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::names::is_id;
use super::{Outcome, Refusal, sealed};
use crate::keyring::Place;
use crate::state::{PolicyRecord, Record, RecordId};

/// A policy, validated and sealed by the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutPolicy {
    /// Its name.
    pub policy_id: String,
    /// The revision it replaces; 0 when it shall be new.
    pub expected_revision: u64,
    /// The sealed record of revision `expected_revision` + 1.
    #[serde(with = "serde_bytes")]
    pub sealed: Vec<u8>,
}

impl PutPolicy {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        if !is_id(&self.policy_id) {
            return Err(Refusal::NameInvalid);
        }
        let former = frame.index.policy(&self.policy_id);
        let revision = former.map_or(0, |policy| policy.revision);
        if revision != self.expected_revision {
            return Err(Refusal::Conflict);
        }
        let place = Place::policy(&self.policy_id);
        let former = former.map(|policy| &policy.sealed);
        let sealed = sealed::fit(frame.cluster_id, &place, former, &self.sealed)?;
        frame.counters.policy_epoch += 1;
        frame.writes.put(
            RecordId::Policy(self.policy_id.clone()),
            Record::Policy(PolicyRecord {
                policy_id: self.policy_id.clone(),
                revision: sealed.revision,
                sealed,
            }),
        );
        Ok(Outcome::PolicyPut {
            policy_epoch: frame.counters.policy_epoch,
        })
    }
}
