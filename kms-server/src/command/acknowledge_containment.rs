//! Records that a gateway has carried out a device's order.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{Outcome, Refusal};
use crate::state::{IdentityState, Record, RecordId, Role};

/// "Against this order nothing of the device is forwarded here any more."
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcknowledgeContainment {
    /// Which gateway; its id is its certificate's.
    pub gateway_id: String,
    /// Which device.
    pub device_id: String,
    /// Of its containment.
    pub epoch: u64,
}

impl AcknowledgeContainment {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let device = frame.index.device(&self.device_id);
        device.ok_or(Refusal::DeviceNotFound)?;
        let gateway = frame.index.identity(Role::Gateway, &self.gateway_id);
        match gateway.map(|gateway| gateway.state) {
            Some(IdentityState::Active) => {}
            Some(IdentityState::Revoked) => return Err(Refusal::IdentityRevoked),
            None => return Err(Refusal::IdentityNotFound),
        }
        // Nobody says beforehand that an order will be carried out.
        if self.epoch > frame.index.containment(&self.device_id).epoch {
            return Err(Refusal::EpochUnknown);
        }
        let former = frame.index.acknowledged(&self.device_id, &self.gateway_id);
        if self.epoch > former {
            let id = RecordId::Acknowledgement(self.device_id.clone(), self.gateway_id.clone());
            frame.writes.put(id, Record::Acknowledgement(self.epoch));
        }
        Ok(Outcome::ContainmentAcknowledged)
    }
}
