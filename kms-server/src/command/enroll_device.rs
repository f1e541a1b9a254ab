//! Enrols a device and makes its key, both or neither.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::create_key::DEVICE_PREFIX;
use super::names::is_id;
use super::{CreateKey, Outcome, Refusal, sealed};
use crate::keyring::Place;
use crate::state::{
    ALLOWANCE_DEFAULT_S, ALLOWANCE_MAX_S, ContainmentRecord, DeviceRecord, DeviceState, KeyType,
    Record, RecordId,
};

/// A device and its key `device/<id>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrollDevice {
    /// Its id.
    pub device_id: String,
    /// The edge gateway that speaks for it; empty means any.
    pub gateway: String,
    /// The inventory, a sealed record of revision 1.
    #[serde(with = "serde_bytes")]
    pub sealed_inventory: Vec<u8>,
    /// Its key; the name must be `device/<id>`.
    pub key: CreateKey,
    /// For how long a gateway that has lost the KMS goes on for it, in seconds.
    pub offline_allowance_s: u32,
}

impl EnrollDevice {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let own_name = self.key.name.strip_prefix(DEVICE_PREFIX) == Some(&self.device_id);
        let gateway_allowed = self.gateway.is_empty() || is_id(&self.gateway);
        if !is_id(&self.device_id) || !own_name || !gateway_allowed {
            return Err(Refusal::NameInvalid);
        }
        if frame.index.device(&self.device_id).is_some() {
            return Err(Refusal::DeviceExists);
        }
        if self.offline_allowance_s > ALLOWANCE_MAX_S {
            return Err(Refusal::TooLarge);
        }
        let place = Place::device(&self.device_id, self.key.key_id);
        let sealed = sealed::fit(frame.cluster_id, &place, None, &self.sealed_inventory)?;
        self.key.create(frame, KeyType::default())?;
        if self.offline_allowance_s != ALLOWANCE_DEFAULT_S {
            let initial = ContainmentRecord::initial(&self.device_id, self.offline_allowance_s);
            let id = RecordId::Containment(self.device_id.clone());
            frame.writes.put(id, Record::Containment(Box::new(initial)));
        }
        frame.writes.put(
            RecordId::Device(self.device_id.clone()),
            Record::Device(Box::new(DeviceRecord {
                device_id: self.device_id.clone(),
                state: DeviceState::Active,
                key_id: self.key.key_id,
                gateway: self.gateway.clone(),
                enrolled_ms: frame.now_ms,
                revision: 1,
                sealed,
            })),
        );
        Ok(Outcome::DeviceEnrolled {
            key_id: self.key.key_id,
        })
    }
}
