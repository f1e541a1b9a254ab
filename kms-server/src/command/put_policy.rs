//! Writes, replaces or deletes a policy; and what becomes of one whose end has come.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::names::is_id;
use super::{Outcome, Refusal, Writes, sealed};
use crate::keyring::Place;
use crate::state::{Counters, Index, POLICY_LIFE_MAX_MS, PolicyRecord, Record, RecordId, Sealed};

/// A policy, validated and sealed by the leader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutPolicy {
    /// Its name.
    pub policy_id: String,
    /// The revision it replaces, also of one that was deleted; 0 when there never was one.
    pub expected_revision: u64,
    /// The sealed record of revision `expected_revision` + 1.
    #[serde(with = "serde_bytes")]
    pub sealed: Vec<u8>,
}

/// A policy that ends by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutEndingPolicy {
    /// The policy.
    pub put: PutPolicy,
    /// By the state's clock.
    pub ends_ms: u64,
}

/// Takes a policy out of force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletePolicy {
    /// Its name.
    pub policy_id: String,
}

impl PutPolicy {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        if !is_id(&self.policy_id) {
            return Err(Refusal::NameInvalid);
        }
        let revision = frame.index.policy_revision(&self.policy_id);
        if revision != self.expected_revision {
            return Err(Refusal::Conflict);
        }
        let place = Place::policy(&self.policy_id);
        let former = (revision != 0).then(|| Sealed {
            revision,
            record: Vec::new(),
        });
        let sealed = sealed::fit(frame.cluster_id, &place, former.as_ref(), &self.sealed)?;
        frame.counters.policy_epoch += 1;
        forget_end(frame.index, &mut frame.writes, &self.policy_id);
        let id = &self.policy_id;
        frame.writes.remove(RecordId::DeletedPolicy(id.clone()));
        frame.writes.put(
            RecordId::Policy(id.clone()),
            Record::Policy(PolicyRecord {
                policy_id: id.clone(),
                revision: sealed.revision,
                sealed,
            }),
        );
        Ok(Outcome::PolicyPut {
            policy_epoch: frame.counters.policy_epoch,
        })
    }
}

impl PutEndingPolicy {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let (ends_ms, last_ms) = (
            self.ends_ms,
            frame.now_ms.saturating_add(POLICY_LIFE_MAX_MS),
        );
        if ends_ms <= frame.now_ms || ends_ms > last_ms {
            return Err(Refusal::EndInvalid);
        }
        let outcome = self.put.apply(frame)?;
        let id = &self.put.policy_id;
        let (end, ending) = (
            RecordId::PolicyEnd(id.clone()),
            RecordId::PolicyEnding(ends_ms, id.clone()),
        );
        frame.writes.put(end, Record::PolicyEnd(ends_ms));
        frame.writes.put(ending, Record::PolicyEnding);
        Ok(outcome)
    }
}

impl DeletePolicy {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        if frame.index.policy(&self.policy_id).is_none() {
            return Err(Refusal::PolicyNotFound);
        }
        frame.counters.policy_epoch += 1;
        remove(frame.index, &mut frame.writes, &self.policy_id);
        Ok(Outcome::PolicyDeleted)
    }
}

/// Deletes policies whose end has come; every entry does a few.
pub(super) fn sweep(index: &Index, counters: &mut Counters, writes: &mut Writes) {
    for (_, id) in index.ended_policies(counters.time_ms).take(SWEEP_MAX) {
        // It may have been put anew or deleted by this very entry.
        if !writes.touches(&RecordId::Policy(id.to_owned())) {
            counters.policy_epoch += 1;
            remove(index, writes, id);
        }
    }
}

fn remove(index: &Index, writes: &mut Writes, id: &str) {
    forget_end(index, writes, id);
    writes.remove(RecordId::Policy(id.to_owned()));
    let last = Record::DeletedPolicy(index.policy_revision(id));
    writes.put(RecordId::DeletedPolicy(id.to_owned()), last);
}

fn forget_end(index: &Index, writes: &mut Writes, id: &str) {
    if let Some(ends_ms) = index.policy_end(id) {
        writes.remove(RecordId::PolicyEnd(id.to_owned()));
        writes.remove(RecordId::PolicyEnding(ends_ms, id.to_owned()));
    }
}

const SWEEP_MAX: usize = 4;
