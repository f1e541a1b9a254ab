//! Policies, as stored: sealed text under a clear name.

use std::ops::Bound::{Included, Unbounded};

use serde::{Deserialize, Serialize};

use super::{Index, Record, RecordId, Sealed};

/// The farthest end of a policy that ends by itself.
pub const POLICY_LIFE_MAX_MS: u64 = 366 * 24 * 60 * 60 * 1_000;

/// One policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRecord {
    /// Its name.
    pub policy_id: String,
    /// Previous plus one at each change.
    pub revision: u64,
    /// The text: a sealed record of purpose policy, of the same revision.
    pub sealed: Sealed,
}

impl Index {
    /// A policy.
    pub fn policy(&self, id: &str) -> Option<&PolicyRecord> {
        let Record::Policy(found) = self.get(&RecordId::Policy(id.to_owned()))? else {
            return None;
        };
        Some(found)
    }

    /// All policies, by id.
    pub fn policies(&self) -> impl Iterator<Item = &PolicyRecord> {
        let first = RecordId::Policy(String::new());
        self.range((Included(first), Unbounded))
            .map_while(|(_, record)| {
                let Record::Policy(found) = record else {
                    return None;
                };
                Some(found)
            })
    }

    /// The revision of a policy, or the last one of a policy that is no more: none comes twice.
    pub fn policy_revision(&self, id: &str) -> u64 {
        let deleted = || match self.get(&RecordId::DeletedPolicy(id.to_owned())) {
            Some(Record::DeletedPolicy(revision)) => *revision,
            Some(_) | None => 0,
        };
        self.policy(id)
            .map_or_else(deleted, |policy| policy.revision)
    }

    /// When a policy ends by itself.
    pub fn policy_end(&self, id: &str) -> Option<u64> {
        let Record::PolicyEnd(ends_ms) = self.get(&RecordId::PolicyEnd(id.to_owned()))? else {
            return None;
        };
        Some(*ends_ms)
    }

    /// Policies whose end has come at `now_ms`.
    pub(crate) fn ended_policies(&self, now_ms: u64) -> impl Iterator<Item = (u64, &str)> {
        let first = RecordId::PolicyEnding(0, String::new());
        self.range((Included(first), Unbounded))
            .map_while(move |(id, _)| {
                let RecordId::PolicyEnding(at, id) = id else {
                    return None;
                };
                (*at <= now_ms).then_some((*at, &**id))
            })
    }
}
