//! Records that nobody waits for a device's order any more. The leader's own, after its clock.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{Outcome, Refusal};
use crate::state::{ContainmentRecord, Record, RecordId};

/// Every gateway has acknowledged this epoch, or could forward no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleContainment {
    /// Which device.
    pub device_id: String,
    /// Of its containment; an older one settles nothing.
    pub epoch: u64,
}

impl SettleContainment {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let former = frame.index.containment(&self.device_id);
        if former.epoch == self.epoch && !former.is_settled() {
            let order = ContainmentRecord {
                settled_epoch: former.epoch,
                allowance_held_s: former.allowance_s,
                revision: former.revision + 1,
                ..former
            };
            let id = RecordId::Containment(self.device_id.clone());
            frame.writes.put(id, Record::Containment(Box::new(order)));
        }
        Ok(Outcome::ContainmentSettled)
    }
}
