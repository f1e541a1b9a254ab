//! Sets for how long gateways that have lost the KMS go on for a device.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{Outcome, Refusal};
use crate::state::{ALLOWANCE_MAX_S, ContainLevel, ContainmentRecord, Record, RecordId};

/// A device's allowance from now on. A gateway acts on the former one until it has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetOfflineAllowance {
    /// Which device.
    pub device_id: String,
    /// At most [`ALLOWANCE_MAX_S`].
    pub allowance_s: u32,
}

impl SetOfflineAllowance {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let device = frame.index.device(&self.device_id);
        device.ok_or(Refusal::DeviceNotFound)?;
        if self.allowance_s > ALLOWANCE_MAX_S {
            return Err(Refusal::TooLarge);
        }
        let former = frame.index.containment(&self.device_id);
        if former.level == ContainLevel::Revoke {
            return Err(Refusal::DeviceRevoked);
        }
        // The wait for an order counts on the allowances that gateways held when it was given.
        if former.level != ContainLevel::None && !former.is_settled() {
            return Err(Refusal::ContainmentPending);
        }
        if former.allowance_s != self.allowance_s {
            let order = ContainmentRecord {
                epoch: former.epoch + 1,
                allowance_s: self.allowance_s,
                allowance_held_s: former.allowance_held_s.max(self.allowance_s),
                revision: former.revision + 1,
                ..former
            };
            let id = RecordId::Containment(self.device_id.clone());
            frame.writes.put(id, Record::Containment(Box::new(order)));
        }
        Ok(Outcome::OfflineAllowanceSet)
    }
}
