//! Makes an AES-256-GCM key with its first version.

use envelope::id::{KeyId, KeyVersion};
use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::names::{ALIAS_PREFIX, is_key_name};
use super::{Outcome, Refusal, sealed};
use crate::keyring::Place;
use crate::state::{KeyRecord, KeyState, KeyType, Record, RecordId, VersionRecord};

/// A key and the sealed material of its version 1, revision 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateKey {
    /// Random.
    #[serde(with = "crate::state::wire::id16")]
    pub key_id: KeyId,
    /// Unique among the living.
    pub name: String,
    /// The sealed record of version 1.
    #[serde(with = "serde_bytes")]
    pub sealed: Vec<u8>,
}

/// Names that begin so belong to devices and are made by enrolment alone.
pub(super) const DEVICE_PREFIX: &str = "device/";

impl CreateKey {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        if self.name.starts_with(DEVICE_PREFIX) {
            return Err(Refusal::NameInvalid);
        }
        self.create(frame, KeyType::default())?;
        Ok(Outcome::KeyCreated {
            key_id: self.key_id,
        })
    }

    /// Makes the key whatever its name's prefix; enrolment uses this too.
    pub(super) fn create(&self, frame: &mut Frame<'_>, key_type: KeyType) -> Result<(), Refusal> {
        // In the first format there were no aliases, and its members do not refuse such a name.
        let is_alias = frame.index.format_version() > 1 && self.name.starts_with(ALIAS_PREFIX);
        if is_alias || !is_key_name(&self.name) {
            return Err(Refusal::NameInvalid);
        }
        if frame.index.key(&self.key_id).is_some() {
            return Err(Refusal::IdExists);
        }
        if frame.index.key_by_name(&self.name).is_some() {
            return Err(Refusal::NameTaken);
        }
        let place = Place::key_version(key_type, self.key_id, KeyVersion(1), &self.name);
        let sealed = sealed::fit(frame.cluster_id, &place, None, &self.sealed)?;
        let created_ms = frame.now_ms;
        frame.writes.put(
            RecordId::Key(self.key_id),
            Record::Key(KeyRecord {
                key_id: self.key_id,
                name: self.name.clone(),
                state: KeyState::Enabled,
                primary: 1,
                revision: 1,
                epoch: 0,
                created_ms,
            }),
        );
        frame.writes.put(
            RecordId::KeyVersion(self.key_id, 1),
            Record::KeyVersion(VersionRecord {
                version: 1,
                state: KeyState::Enabled,
                created_ms,
                sealed,
            }),
        );
        frame.writes.put(
            RecordId::KeyName(self.name.clone()),
            Record::KeyName(self.key_id),
        );
        Ok(())
    }
}
