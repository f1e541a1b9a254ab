//! Writes or replaces a policy.

use serde::{Deserialize, Serialize};

use super::apply::{Frame, check_sealed};
use super::names::is_id;
use super::{Outcome, Refusal};
use crate::state::{PolicyRecord, Record, RecordId};

/// A policy, validated and sealed by the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutPolicy {
    /// Its name.
    pub policy_id: String,
    /// The revision it replaces; 0 when it shall be new.
    pub expected_revision: u64,
    /// The sealed record of revision `expected_revision` + 1.
    pub sealed: Vec<u8>,
}

impl PutPolicy {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        if !is_id(&self.policy_id) {
            return Err(Refusal::NameInvalid);
        }
        check_sealed(&self.sealed)?;
        let former = frame.index.policy(&self.policy_id);
        let revision = former.map_or(0, |policy| policy.revision);
        if revision != self.expected_revision {
            return Err(Refusal::Conflict);
        }
        frame.counters.policy_epoch += 1;
        frame.writes.put(
            RecordId::Policy(self.policy_id.clone()),
            Record::Policy(PolicyRecord {
                policy_id: self.policy_id.clone(),
                revision: revision + 1,
                sealed: self.sealed.clone(),
            }),
        );
        Ok(Outcome::PolicyPut {
            policy_epoch: frame.counters.policy_epoch,
        })
    }
}
