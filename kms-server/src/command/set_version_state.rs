//! Enables or disables one version of a key.

use envelope::id::{KeyId, KeyVersion};
use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{Outcome, Refusal};
use crate::state::{KeyState, Record, RecordId};

/// The state a version shall have. It may have it already: then nothing changes. The primary may be
/// disabled too: nothing new is made then until the key is rotated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetVersionState {
    /// Which key.
    #[serde(with = "crate::state::wire::id16")]
    pub key_id: KeyId,
    /// Which version.
    pub version: u32,
    /// What it shall be.
    pub state: KeyState,
}

impl SetVersionState {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let (index, number) = (frame.index, KeyVersion(self.version));
        let key = index.key(&self.key_id).ok_or(Refusal::KeyNotFound)?;
        let version = index.key_version(&self.key_id, number);
        let version = version.ok_or(Refusal::VersionNotFound)?;
        if version.state != self.state {
            let (mut key, mut version) = (key.clone(), version.clone());
            version.state = self.state;
            key.revision += 1;
            // Only a loss moves the epoch, which is the key's: there is one to compare.
            if self.state == KeyState::Disabled {
                key.epoch += 1;
            }
            frame
                .writes
                .put(RecordId::Key(self.key_id), Record::Key(key));
            frame.writes.put(
                RecordId::KeyVersion(self.key_id, self.version),
                Record::KeyVersion(version),
            );
        }
        Ok(Outcome::KeyChanged {
            key_id: self.key_id,
        })
    }
}
