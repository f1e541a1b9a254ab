//! Makes a key of material from elsewhere, which the leader has opened and sealed.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::{CreateTypedKey, Outcome, Refusal, create_import};
use crate::state::{ImportId, Record, RecordId};

/// A key, the import that brings it, and what its material is known by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportKey {
    /// Used by this and gone after it.
    pub import_id: ImportId,
    /// The key, as one that was made here.
    pub key: CreateTypedKey,
    /// Tells the material from all that was imported, and nothing else about it.
    pub fingerprint: [u8; 32],
}

impl ImportKey {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let import = frame.index.import(&self.import_id);
        let import = import.ok_or(Refusal::ImportInvalid)?;
        let (name, key_type) = (&self.key.key.name, self.key.key_type);
        let fits = (&import.name, import.key_type) == (name, key_type);
        if !fits || import.expires_ms <= frame.now_ms {
            return Err(Refusal::ImportInvalid);
        }
        if frame.index.is_known_material(&self.fingerprint) {
            return Err(Refusal::MaterialKnown);
        }
        let expires_ms = import.expires_ms;
        let outcome = self.key.apply(frame)?;
        let key_id = self.key.key.key_id;
        let writes = &mut frame.writes;
        writes.put(RecordId::KeyOrigin(key_id), Record::KeyOrigin);
        let material = RecordId::ImportedMaterial(self.fingerprint);
        writes.put(material, Record::ImportedMaterial(key_id));
        create_import::remove(writes, expires_ms, self.import_id);
        Ok(outcome)
    }
}
