//! Records the public key of a certificate before it is handed out.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{Outcome, Refusal};
use crate::replica::limits::IDENTITY_KEYS_MAX;
use crate::state::{
    DeviceState, IdentityKey, IdentityRecord, IdentityState, Record, RecordId, Role, SpkiHash,
};

/// A certificate about to be issued: a renewal, or a device's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordCertificate {
    /// Whose.
    pub role: Role,
    /// Which one.
    pub id: String,
    /// Its public key.
    pub spki_sha256: SpkiHash,
    /// When it ends, milliseconds since 1970-01-01 UTC.
    pub not_after_ms: u64,
}

impl RecordCertificate {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let mut identity = self.identity(frame)?;
        // What has ended is worth nothing, so forgetting it takes nothing away.
        identity.keys.retain(|key| key.not_after_ms > frame.now_ms);
        let known = identity
            .keys
            .iter_mut()
            .find(|key| key.spki_sha256 == self.spki_sha256);
        match known {
            Some(key) => key.not_after_ms = key.not_after_ms.max(self.not_after_ms),
            None => identity.keys.push(IdentityKey {
                spki_sha256: self.spki_sha256,
                not_after_ms: self.not_after_ms,
            }),
        }
        if identity.keys.len() > IDENTITY_KEYS_MAX {
            identity.keys.remove(0);
            frame.counters.identity_epoch += 1;
        }
        frame.writes.put(
            RecordId::Identity(self.role, self.id.clone()),
            Record::Identity(identity),
        );
        Ok(Outcome::CertificateRecorded)
    }

    /// The identity as it is; a device's begins with its first certificate.
    fn identity(&self, frame: &Frame<'_>) -> Result<IdentityRecord, Refusal> {
        if self.role == Role::Device {
            let device = frame.index.device(&self.id);
            let device = device.ok_or(Refusal::DeviceNotFound)?;
            if device.state == DeviceState::Revoked {
                return Err(Refusal::DeviceRevoked);
            }
        }
        match frame.index.identity(self.role, &self.id) {
            Some(known) if known.state == IdentityState::Revoked => Err(Refusal::IdentityRevoked),
            Some(known) => Ok(known.clone()),
            None if self.role == Role::Device => Ok(IdentityRecord {
                role: Role::Device,
                id: self.id.clone(),
                state: IdentityState::Active,
                keys: Vec::new(),
            }),
            None => Err(Refusal::IdentityNotFound),
        }
    }
}
