//! Keeps a key pair that was made for one import; and what becomes of one whose time is over.

use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::create_key::DEVICE_PREFIX;
use super::names::{ALIAS_PREFIX, is_key_name};
use super::{Outcome, Refusal, Writes, sealed};
use crate::keyring::Place;
use crate::state::{
    IMPORT_LIFE_MAX_MS, ImportId, ImportRecord, Index, KeyType, Record, RecordId, Role,
};

/// A key pair, its private half sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateImport {
    /// Random.
    pub import_id: ImportId,
    /// What the key will be called.
    pub name: String,
    /// What the key will be.
    pub key_type: KeyType,
    /// What asks for it.
    pub role: Role,
    /// Which one.
    pub id: String,
    /// What the material is sealed to.
    pub public_key: [u8; 32],
    /// The sealed record of the private half.
    #[serde(with = "serde_bytes")]
    pub sealed: Vec<u8>,
    /// By the state's clock.
    pub expires_ms: u64,
}

impl CreateImport {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let reserved = [DEVICE_PREFIX, ALIAS_PREFIX];
        let reserved = reserved.iter().any(|it| self.name.starts_with(it));
        if reserved || !is_key_name(&self.name) {
            return Err(Refusal::NameInvalid);
        }
        if frame.index.key_by_name(&self.name).is_some() {
            return Err(Refusal::NameTaken);
        }
        if frame.index.import(&self.import_id).is_some() {
            return Err(Refusal::IdExists);
        }
        let last_ms = frame.now_ms.saturating_add(IMPORT_LIFE_MAX_MS);
        if self.expires_ms <= frame.now_ms || self.expires_ms > last_ms {
            return Err(Refusal::ImportInvalid);
        }
        if frame.index.is_full_of_imports(frame.now_ms) {
            return Err(Refusal::ImportsFull);
        }
        let place = Place::import(&self.import_id);
        let record = ImportRecord {
            import_id: self.import_id,
            name: self.name.clone(),
            key_type: self.key_type,
            role: self.role,
            id: self.id.clone(),
            public_key: self.public_key,
            sealed: sealed::fit(frame.cluster_id, &place, None, &self.sealed)?,
            expires_ms: self.expires_ms,
        };
        let (import_id, expires_ms) = (self.import_id, self.expires_ms);
        let record = Record::Import(Box::new(record));
        frame.writes.put(RecordId::Import(import_id), record);
        let expiry = RecordId::ImportExpiry(expires_ms, import_id);
        frame.writes.put(expiry, Record::ImportExpiry);
        Ok(Outcome::ImportCreated { import_id })
    }
}

/// Deletes imports whose time is over, with their private keys; every entry does a few.
pub(super) fn sweep(index: &Index, now_ms: u64, writes: &mut Writes) {
    for (at, import_id) in index.expired_imports(now_ms).take(SWEEP_MAX) {
        remove(writes, at, import_id);
    }
}

/// Deletes an import.
pub(super) fn remove(writes: &mut Writes, expires_ms: u64, import_id: ImportId) {
    writes.remove(RecordId::Import(import_id));
    writes.remove(RecordId::ImportExpiry(expires_ms, import_id));
}

const SWEEP_MAX: usize = 2;
