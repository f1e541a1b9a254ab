//! Reads over the index for quotas.

use std::ops::Bound;

use super::{Index, QuotaRecord, Record, RecordId, Role};

impl Index {
    /// The quota that was put for exactly this identity; with an empty id, for the role.
    pub fn quota(&self, role: Role, id: &str) -> Option<&QuotaRecord> {
        let Record::Quota(found) = self.get(&RecordId::Quota(role, id.to_owned()))? else {
            return None;
        };
        Some(found)
    }

    /// The quota that counts for an identity: its own, or else its role's.
    pub fn quota_of(&self, role: Role, id: &str) -> Option<&QuotaRecord> {
        self.quota(role, id).or_else(|| self.quota(role, ""))
    }

    /// All quotas, by role and id; that of a whole role first.
    pub fn quotas(&self) -> impl Iterator<Item = &QuotaRecord> {
        let first = RecordId::Quota(Role::Node, String::new());
        self.range((Bound::Included(first), Bound::Unbounded))
            .map_while(|(_, record)| {
                let Record::Quota(found) = record else {
                    return None;
                };
                Some(found)
            })
    }
}
