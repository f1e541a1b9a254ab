//! Takes a quota away.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{Outcome, Refusal};
use crate::state::{RecordId, Role};

/// Which quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteQuota {
    /// As it was put.
    pub role: Role,
    /// As it was put.
    pub id: String,
}

impl DeleteQuota {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        if frame.index.quota(self.role, &self.id).is_none() {
            return Err(Refusal::QuotaNotFound);
        }
        let id = RecordId::Quota(self.role, self.id.clone());
        frame.writes.remove(id);
        Ok(Outcome::QuotaDeleted)
    }
}
