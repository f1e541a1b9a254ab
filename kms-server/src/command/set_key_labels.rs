//! Sets and removes labels of a key.

use envelope::id::KeyId;
use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::names::{LABELS_MAX, is_label};
use super::{Outcome, Refusal};
use crate::state::{Labels, Record, RecordId};

/// Labels to set and to remove; the others stay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetKeyLabels {
    /// Which key.
    #[serde(with = "crate::state::wire::id16")]
    pub key_id: KeyId,
    /// These stand afterwards.
    pub set: Labels,
    /// These do not, unless they are set too.
    pub remove: Vec<String>,
}

impl SetKeyLabels {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let key = frame.index.key(&self.key_id).ok_or(Refusal::KeyNotFound)?;
        let former = frame.index.key_labels(&self.key_id);
        let former = former.cloned().unwrap_or_default();
        let mut labels = former.clone();
        labels.retain(|key, _| !self.remove.contains(key));
        labels.extend(self.set.clone());
        check_labels(&labels)?;
        if labels != former {
            let mut key = key.clone();
            key.revision += 1;
            // Policies may look at labels since then: what they permitted they may refuse now.
            if frame.index.format_version() >= LABELS_DECIDE_SINCE {
                key.epoch += 1;
            }
            frame
                .writes
                .put(RecordId::Key(self.key_id), Record::Key(key));
            put_labels(frame, self.key_id, labels);
        }
        Ok(Outcome::KeyChanged {
            key_id: self.key_id,
        })
    }
}

/// The format of the state from which on policies see labels.
const LABELS_DECIDE_SINCE: u32 = 4;

/// What a key may be labelled with.
pub(super) fn check_labels(labels: &Labels) -> Result<(), Refusal> {
    let fit = labels.iter().all(|(key, value)| is_label(key, value));
    match fit && labels.len() <= LABELS_MAX {
        true => Ok(()),
        false => Err(Refusal::LabelsInvalid),
    }
}

/// Keeps labels, or nothing where there are none.
pub(super) fn put_labels(frame: &mut Frame<'_>, key_id: KeyId, labels: Labels) {
    let id = RecordId::KeyLabels(key_id);
    match labels.is_empty() {
        true => frame.writes.remove(id),
        false => frame.writes.put(id, Record::KeyLabels(labels)),
    }
}
