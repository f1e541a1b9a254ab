//! How far the log is applied, and the membership that holds there.

use openraft::alias::{LogIdOf, SnapshotMetaOf, StoredMembershipOf};
use serde::{Deserialize, Serialize};

use crate::raft::TypeConfig;

/// Stored with the records, in the same transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Applied {
    /// The last applied entry.
    pub(crate) log_id: Option<LogIdOf<TypeConfig>>,
    /// The last applied membership.
    pub(crate) membership: StoredMembershipOf<TypeConfig>,
}

impl Applied {
    /// The index of the last applied entry; 0 before any.
    pub(crate) fn index(&self) -> u64 {
        self.log_id.map_or(0, |log_id| log_id.index)
    }

    /// What a snapshot taken here is called.
    pub(crate) fn to_snapshot_meta(&self) -> SnapshotMetaOf<TypeConfig> {
        SnapshotMetaOf::<TypeConfig> {
            last_log_id: self.log_id,
            last_membership: self.membership.clone(),
        }
    }
}

impl From<&SnapshotMetaOf<TypeConfig>> for Applied {
    fn from(meta: &SnapshotMetaOf<TypeConfig>) -> Self {
        Self {
            log_id: meta.last_log_id,
            membership: meta.last_membership.clone(),
        }
    }
}
