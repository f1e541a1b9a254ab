//! Keys that are rotated by period: how often, and when next.
//!
//! The next time stands in the record and, while the key is enabled, once more in an index ordered
//! by time: whoever looks for what is due touches nothing else.

use std::ops::Bound;

use envelope::id::KeyId;
use serde::{Deserialize, Serialize};

use super::{Index, Record, RecordId};

/// The shortest period.
pub const PERIOD_MIN_S: u32 = 60 * 60;

/// The longest period: ten years.
pub const PERIOD_MAX_S: u32 = 10 * 365 * 24 * 60 * 60;

/// A key is rotated at most this part of its period before the period's end.
pub const EARLY_DIVISOR: u32 = 10;

/// How often a key is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRotation {
    /// No version is the primary for longer than this.
    pub period_s: u32,
    /// How long before the period's end: the leader drew it, so that keys which are made at one
    /// moment are not rotated at one moment. It stays until another period is set.
    pub early_s: u32,
    /// The next time, milliseconds since 1970-01-01 UTC.
    pub due_ms: u64,
}

impl KeyRotation {
    /// The next rotation of a key that was rotated, or given its period, at `now_ms`.
    #[must_use]
    pub fn beginning(period_s: u32, early_s: u32, now_ms: u64) -> Self {
        let after_s = u64::from(period_s.saturating_sub(early_s));
        Self {
            period_s,
            early_s,
            due_ms: now_ms.saturating_add(after_s * 1_000),
        }
    }

    /// The same, after a rotation at `now_ms`.
    #[must_use]
    pub fn again(self, now_ms: u64) -> Self {
        Self::beginning(self.period_s, self.early_s, now_ms)
    }
}

impl Index {
    /// How often a key is rotated; none of one that has no period.
    pub fn key_rotation(&self, id: &KeyId) -> Option<KeyRotation> {
        let Record::KeyRotation(found) = self.get(&RecordId::KeyRotation(*id))? else {
            return None;
        };
        Some(*found)
    }

    /// Enabled keys whose rotation is due at `now_ms`, and since when, the longest due first. Looks
    /// at no other key.
    pub(crate) fn rotations_due(&self, now_ms: u64) -> impl Iterator<Item = (u64, KeyId)> {
        let first = RecordId::RotationDue(0, KeyId::from_bytes([0; 16]));
        self.range((Bound::Included(first), Bound::Unbounded))
            .map_while(move |(id, _)| {
                let RecordId::RotationDue(due_ms, key_id) = id else {
                    return None;
                };
                (*due_ms <= now_ms).then_some((*due_ms, *key_id))
            })
    }
}
