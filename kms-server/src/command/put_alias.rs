//! Makes an alias, or moves it to another key, by compare-and-swap.

use envelope::id::KeyId;
use serde::{Deserialize, Serialize};

use super::apply::Frame;
use super::names::{ALIASES_MAX, is_alias};
use super::{Outcome, Refusal};
use crate::state::{AliasRecord, Record, RecordId};

/// The alias as it shall be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutAlias {
    /// The whole name, `alias/NAME`.
    pub name: String,
    /// Whose name it shall be.
    #[serde(with = "crate::state::wire::id16")]
    pub key_id: KeyId,
    /// The revision it replaces; 0 when it shall be new.
    pub expected_revision: u64,
}

impl PutAlias {
    pub(super) fn apply(&self, frame: &mut Frame<'_>) -> Result<Outcome, Refusal> {
        let index = frame.index;
        if !is_alias(&self.name) {
            return Err(Refusal::NameInvalid);
        }
        if index.key(&self.key_id).is_none() {
            return Err(Refusal::KeyNotFound);
        }
        let former = index.alias(&self.name);
        let living = former.and_then(|alias| alias.key_id);
        if index.key_by_name(&self.name).is_some()
            || (living.is_some() && self.expected_revision == 0)
        {
            return Err(Refusal::NameTaken);
        }
        let revision = former.map_or(0, |alias| alias.revision);
        if self.expected_revision != 0 {
            check_revision(living, revision, self.expected_revision)?;
        }
        if living != Some(self.key_id) {
            if index.aliases_of(self.key_id).count() >= ALIASES_MAX {
                return Err(Refusal::AliasesFull);
            }
            take_from(frame, living, &self.name);
            let id = RecordId::KeyAlias(self.key_id, self.name.clone());
            frame.writes.put(id, Record::KeyAlias);
        }
        put_record(frame, &self.name, revision + 1, Some(self.key_id));
        Ok(Outcome::AliasPut {
            key_id: self.key_id,
        })
    }
}

/// Compares what a change was decided on with a living alias.
pub(super) fn check_revision(
    living: Option<KeyId>,
    revision: u64,
    expected: u64,
) -> Result<(), Refusal> {
    match (living, revision == expected) {
        (None, _) => Err(Refusal::AliasNotFound),
        (Some(_), false) => Err(Refusal::Conflict),
        (Some(_), true) => Ok(()),
    }
}

/// Takes the alias from the key that had it. That key's epoch moves: who reached it through the
/// alias does so no longer, and what caches got of it that way is void.
pub(super) fn take_from(frame: &mut Frame<'_>, living: Option<KeyId>, name: &str) {
    let Some(key) = living.and_then(|key_id| frame.index.key(&key_id)) else {
        return;
    };
    let mut key = key.clone();
    let key_id = key.key_id;
    key.revision += 1;
    key.epoch += 1;
    frame.writes.put(RecordId::Key(key_id), Record::Key(key));
    frame
        .writes
        .remove(RecordId::KeyAlias(key_id, name.to_owned()));
}

/// Keeps an alias, or the tombstone of one.
pub(super) fn put_record(frame: &mut Frame<'_>, name: &str, revision: u64, key_id: Option<KeyId>) {
    let record = AliasRecord {
        name: name.to_owned(),
        revision,
        key_id,
    };
    frame
        .writes
        .put(RecordId::Alias(name.to_owned()), Record::Alias(record));
}
