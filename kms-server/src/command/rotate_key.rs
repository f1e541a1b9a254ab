//! Makes a new primary version, by compare-and-swap.

use envelope::id::{KeyId, KeyVersion};
use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::set_key_rotation::begin_anew;
use super::{Outcome, Refusal, sealed};
use crate::keyring::Place;
use crate::state::{KeyState, KeyType, Record, RecordId, VersionRecord};

/// A new version, sealed for exactly this revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateKey {
    /// Which key.
    #[serde(with = "crate::state::wire::id16")]
    pub key_id: KeyId,
    /// The revision it was decided on; another one is a conflict.
    pub expected_revision: u64,
    /// The old primary plus one, as the sealed record says.
    pub version: u32,
    /// The sealed record of the new version.
    #[serde(with = "serde_bytes")]
    pub sealed: Vec<u8>,
}

impl RotateKey {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let key_type = frame.index.key_traits(&self.key_id).key_type;
        if key_type.algorithm().is_some() {
            // Its public key is missing.
            return Err(Refusal::RecordUnfit);
        }
        self.rotate(frame, key_type)
    }

    /// Makes the version, whatever else belongs to it.
    pub(super) fn rotate(
        &self,
        frame: &mut Frame<'_>,
        key_type: KeyType,
    ) -> Result<Outcome, Refusal> {
        let key = frame.index.key(&self.key_id).ok_or(Refusal::KeyNotFound)?;
        if key.state == KeyState::Disabled {
            return Err(Refusal::KeyDisabled);
        }
        let next = key.primary.checked_add(1);
        if key.revision != self.expected_revision || next != Some(self.version) {
            return Err(Refusal::Conflict);
        }
        let version = KeyVersion(self.version);
        let place = Place::key_version(key_type, self.key_id, version, &key.name);
        let sealed = sealed::fit(frame.cluster_id, &place, None, &self.sealed)?;
        let mut key = key.clone();
        key.primary = self.version;
        key.revision += 1;
        begin_anew(frame, &key);
        frame
            .writes
            .put(RecordId::Key(self.key_id), Record::Key(key));
        frame.writes.put(
            RecordId::KeyVersion(self.key_id, self.version),
            Record::KeyVersion(VersionRecord {
                version: self.version,
                state: KeyState::Enabled,
                created_ms: frame.now_ms,
                sealed,
            }),
        );
        Ok(Outcome::KeyRotated {
            key_id: self.key_id,
            version: self.version,
        })
    }
}
