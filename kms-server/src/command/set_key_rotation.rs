//! Gives a key a rotation period, or takes it away; and what every change of a key does to the time
//! at which it is rotated next.

use envelope::id::KeyId;
use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{Outcome, Refusal};
use crate::state::{
    EARLY_DIVISOR, KeyRecord, KeyRotation, KeyState, PERIOD_MAX_S, PERIOD_MIN_S, Record, RecordId,
};

/// The period that a key shall have. It may have it already: then nothing changes, so that whoever
/// sets it every day does not put the rotation off for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetKeyRotation {
    /// Which key.
    #[serde(with = "crate::state::wire::id16")]
    pub key_id: KeyId,
    /// How often, in seconds; 0 for never.
    pub period_s: u32,
    /// How long before each period's end; drawn by the leader.
    pub early_s: u32,
}

impl SetKeyRotation {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let key = frame.index.key(&self.key_id).ok_or(Refusal::KeyNotFound)?;
        let known = self.period_s == 0 || (PERIOD_MIN_S..=PERIOD_MAX_S).contains(&self.period_s);
        if !known || self.early_s > self.period_s / EARLY_DIVISOR {
            return Err(Refusal::PeriodInvalid);
        }
        let former = frame.index.key_rotation(&self.key_id);
        if former.map_or(0, |former| former.period_s) != self.period_s {
            let mut key = key.clone();
            // A rotation that was decided under the former period is a conflict from here on.
            key.revision += 1;
            let next = KeyRotation::beginning(self.period_s, self.early_s, frame.said_ms);
            await_next(frame, &key, (self.period_s != 0).then_some(next));
            frame
                .writes
                .put(RecordId::Key(self.key_id), Record::Key(key));
        }
        Ok(Outcome::KeyChanged {
            key_id: self.key_id,
        })
    }
}

/// Begins the period of a key anew: it was rotated, by whomever.
pub(super) fn begin_anew(frame: &mut Frame<'_>, key: &KeyRecord) {
    if let Some(rotation) = frame.index.key_rotation(&key.key_id) {
        await_next(frame, key, Some(rotation.again(frame.said_ms)));
    }
}

/// Takes the key's place in the index away, or gives it back: it was disabled or enabled.
pub(super) fn follow_state(frame: &mut Frame<'_>, key: &KeyRecord) {
    if let Some(rotation) = frame.index.key_rotation(&key.key_id) {
        await_next(frame, key, Some(rotation));
    }
}

/// Puts down when `key`, as it is now, is to be rotated next.
fn await_next(frame: &mut Frame<'_>, key: &KeyRecord, next: Option<KeyRotation>) {
    let key_id = key.key_id;
    if let Some(former) = frame.index.key_rotation(&key_id) {
        let due = RecordId::RotationDue(former.due_ms, key_id);
        frame.writes.remove(due);
    }
    match next {
        None => frame.writes.remove(RecordId::KeyRotation(key_id)),
        Some(next) => {
            let record = Record::KeyRotation(next);
            frame.writes.put(RecordId::KeyRotation(key_id), record);
            if key.state == KeyState::Enabled {
                let due = RecordId::RotationDue(next.due_ms, key_id);
                frame.writes.put(due, Record::RotationDue);
            }
        }
    }
}
