//! Orders how far a device is contained, releases it, or revokes it for good.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::names::{is_case_id, is_service};
use super::{Outcome, Refusal};
use crate::state::{
    ContainLevel, ContainmentRecord, DeviceRecord, DeviceState, IdentityState, Record, RecordId,
    Role,
};

/// The most services that an order names.
pub(crate) const SERVICES_MAX: usize = 32;

/// An order, in place of the one that stood; level none releases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderContainment {
    /// Which device.
    pub device_id: String,
    /// How far.
    pub level: ContainLevel,
    /// At level restrict, and only there: the services that its flows may still reach.
    pub services: Vec<String>,
    /// The case it belongs to, or empty.
    pub case_id: String,
    /// The SPIFFE URI of who orders.
    pub by: String,
}

impl OrderContainment {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let device = frame.index.device(&self.device_id);
        let device = device.ok_or(Refusal::DeviceNotFound)?;
        self.check()?;
        let former = frame.index.containment(&self.device_id);
        let revoked = former.level == ContainLevel::Revoke;
        if revoked && self.level != ContainLevel::Revoke {
            return Err(Refusal::DeviceRevoked);
        }
        // The same order again changes nothing: what was waited for is not waited for anew.
        if !revoked && !self.stands(&former) {
            if self.level == ContainLevel::Revoke {
                revoke(frame, device);
            }
            let order = ContainmentRecord {
                level: self.level,
                services: self.services.clone(),
                epoch: former.epoch + 1,
                ordered_ms: frame.now_ms,
                by: self.by.clone(),
                case_id: self.case_id.clone(),
                revision: former.revision + 1,
                ..former
            };
            let id = RecordId::Containment(self.device_id.clone());
            frame.writes.put(id, Record::Containment(Box::new(order)));
        }
        Ok(Outcome::ContainmentOrdered)
    }

    fn check(&self) -> Result<(), Refusal> {
        let services = match self.level {
            ContainLevel::Restrict => 1..=SERVICES_MAX,
            ContainLevel::None
            | ContainLevel::Observe
            | ContainLevel::Isolate
            | ContainLevel::Revoke => 0..=0,
        };
        let named = self.services.iter().all(|service| is_service(service));
        let allowed = services.contains(&self.services.len()) && named && is_case_id(&self.case_id);
        allowed.then_some(()).ok_or(Refusal::NameInvalid)
    }

    fn stands(&self, former: &ContainmentRecord) -> bool {
        let same_case = self.case_id.is_empty() || self.case_id == former.case_id;
        self.level == former.level && self.services == former.services && same_case
    }
}

/// Takes from a device what it had beside its flows: its state, its identity, new data keys. What
/// was sealed under its key stays readable for whoever may use the key.
fn revoke(frame: &mut Frame<'_>, device: &DeviceRecord) {
    if let Some(identity) = frame.index.identity(Role::Device, &device.device_id) {
        let mut identity = identity.clone();
        identity.state = IdentityState::Revoked;
        let id = RecordId::Identity(Role::Device, device.device_id.clone());
        frame.writes.put(id, Record::Identity(identity));
    }
    frame.counters.identity_epoch += 1;
    if let Some(key) = frame.index.key(&device.key_id) {
        let mut key = key.clone();
        key.revision += 1;
        key.epoch += 1;
        let id = RecordId::Key(device.key_id);
        frame.writes.put(id, Record::Key(key));
    }
    let mut device = device.clone();
    device.state = DeviceState::Revoked;
    let id = RecordId::Device(device.device_id.clone());
    frame.writes.put(id, Record::Device(Box::new(device)));
}
