//! Sets the lowest versions of a key that may be used.

use envelope::id::KeyId;
use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{Outcome, Refusal};
use crate::state::{Record, RecordId};

/// The new minima; 0 leaves one as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetKeyMinimum {
    /// Which key.
    #[serde(with = "crate::state::wire::id16")]
    pub key_id: KeyId,
    /// For what makes something new; at most the primary. It rises with the other one.
    pub encrypt: u32,
    /// For every use.
    pub decrypt: u32,
}

impl SetKeyMinimum {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let key = frame.index.key(&self.key_id).ok_or(Refusal::KeyNotFound)?;
        let former = frame.index.key_traits(&self.key_id);
        let mut traits = former;
        if self.decrypt != 0 {
            traits.minimum_decrypt = self.decrypt;
        }
        // What may not be opened may not be sealed.
        traits.minimum_encrypt = match self.encrypt {
            0 => traits.minimum_encrypt.max(traits.minimum_decrypt),
            asked => asked,
        };
        let ordered = traits.minimum_decrypt <= traits.minimum_encrypt;
        if !ordered || traits.minimum_encrypt > key.primary {
            return Err(Refusal::MinimumInvalid);
        }
        if traits != former {
            let mut key = key.clone();
            key.revision += 1;
            let loses = traits.minimum_encrypt > former.minimum_encrypt
                || traits.minimum_decrypt > former.minimum_decrypt;
            if loses {
                key.epoch += 1;
            }
            frame
                .writes
                .put(RecordId::Key(self.key_id), Record::Key(key));
            frame
                .writes
                .put(RecordId::KeyTraits(self.key_id), Record::KeyTraits(traits));
        }
        Ok(Outcome::KeyChanged {
            key_id: self.key_id,
        })
    }
}
