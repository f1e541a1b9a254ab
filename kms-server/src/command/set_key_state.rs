//! Enables or disables a key.

use envelope::id::KeyId;
use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::set_key_rotation::follow_state;
use super::{Outcome, Refusal};
use crate::state::{KeyState, Record, RecordId};

/// The state a key shall have. It may have it already: then nothing changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetKeyState {
    /// Which key.
    #[serde(with = "crate::state::wire::id16")]
    pub key_id: KeyId,
    /// What it shall be.
    pub state: KeyState,
}

impl SetKeyState {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let key = frame.index.key(&self.key_id).ok_or(Refusal::KeyNotFound)?;
        if key.state != self.state {
            let mut key = key.clone();
            key.state = self.state;
            key.revision += 1;
            // Only a loss moves the epoch: it makes every cached version unreachable.
            if self.state == KeyState::Disabled {
                key.epoch += 1;
            }
            follow_state(frame, &key);
            frame
                .writes
                .put(RecordId::Key(self.key_id), Record::Key(key));
        }
        Ok(Outcome::KeyStateSet {
            key_id: self.key_id,
            state: self.state,
        })
    }
}
