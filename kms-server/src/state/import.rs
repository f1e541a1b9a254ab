//! Imports under way, and what was imported.

use envelope::import::IMPORT_ID_BYTES;
use serde::{Deserialize, Serialize};

use super::{Index, KeyType, Record, RecordId, Role, Sealed};

/// The id of one import.
pub type ImportId = [u8; IMPORT_ID_BYTES];

/// How many imports may be under way at once.
const IMPORTS_MAX: usize = 64;

/// The longest that one is under way.
pub const IMPORT_LIFE_MAX_MS: u64 = 24 * 60 * 60 * 1_000;

/// A key pair that was made for one import. Gone once it is used or its time is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRecord {
    /// Random.
    pub import_id: ImportId,
    /// What the key will be called.
    pub name: String,
    /// What the key will be.
    pub key_type: KeyType,
    /// What asked for it.
    pub role: Role,
    /// Which one; nobody else may use it.
    pub id: String,
    /// What the material is sealed to.
    pub public_key: [u8; 32],
    /// The private half: a sealed record of purpose import key.
    pub sealed: Sealed,
    /// By the state's clock.
    pub expires_ms: u64,
}

impl Index {
    /// An import under way.
    pub fn import(&self, id: &ImportId) -> Option<&ImportRecord> {
        let Record::Import(found) = self.get(&RecordId::Import(*id))? else {
            return None;
        };
        Some(found)
    }

    /// Whether as many imports are under way as may be, besides those whose time is over.
    pub(crate) fn is_full_of_imports(&self, now_ms: u64) -> bool {
        let alive = RecordId::ImportExpiry(now_ms.saturating_add(1), [0; IMPORT_ID_BYTES]);
        self.import_expiries(alive).nth(IMPORTS_MAX - 1).is_some()
    }

    /// Imports whose time is over at `now_ms`, the longest over first.
    pub(crate) fn expired_imports(&self, now_ms: u64) -> impl Iterator<Item = (u64, ImportId)> {
        let all = RecordId::ImportExpiry(0, [0; IMPORT_ID_BYTES]);
        self.import_expiries(all)
            .take_while(move |(at, _)| *at <= now_ms)
    }

    fn import_expiries(&self, from: RecordId) -> impl Iterator<Item = (u64, ImportId)> {
        use std::ops::Bound::{Included, Unbounded};
        self.range((Included(from), Unbounded))
            .map_while(|(id, _)| {
                let RecordId::ImportExpiry(at, import_id) = id else {
                    return None;
                };
                Some((*at, *import_id))
            })
    }

    /// Whether a key's first version was imported.
    pub fn is_imported(&self, key_id: &envelope::id::KeyId) -> bool {
        self.get(&RecordId::KeyOrigin(*key_id)).is_some()
    }

    /// Whether material of this fingerprint was imported before.
    pub fn is_known_material(&self, fingerprint: &[u8; 32]) -> bool {
        self.get(&RecordId::ImportedMaterial(*fingerprint))
            .is_some()
    }
}
