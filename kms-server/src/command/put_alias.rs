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
        if index.key_by_name(&self.name).is_some() {
            return Err(Refusal::NameTaken);
        }
        let alias = index.alias(&self.name);
        let former = check_put(alias, self.expected_revision)?;
        let revision = alias.map_or(0, |alias| alias.revision) + 1;
        let moves = former != Some(self.key_id);
        if moves {
            if index.aliases_of(self.key_id).count() >= ALIASES_MAX {
                return Err(Refusal::AliasesFull);
            }
            if let Some(former) = former {
                take_from(frame, former, &self.name);
            }
            let id = RecordId::KeyAlias(self.key_id, self.name.clone());
            frame.writes.put(id, Record::KeyAlias);
        }
        put_record(frame, &self.name, revision, Some(self.key_id));
        Ok(Outcome::AliasPut {
            key_id: self.key_id,
            revision,
            former: former.filter(|_| moves),
        })
    }
}

/// Compares what a put was decided on with the alias, or what a deleted one left; answers whose it
/// is. Asked when it is decided, of the key whose loss was permitted, and again by apply.
pub(crate) fn check_put(
    alias: Option<&AliasRecord>,
    expected: u64,
) -> Result<Option<KeyId>, Refusal> {
    if expected != 0 {
        return check_delete(alias, expected).map(Some);
    }
    match alias.and_then(|alias| alias.key_id) {
        Some(_) => Err(Refusal::NameTaken),
        None => Ok(None),
    }
}

/// As [`check_put`], for what there must be.
pub(crate) fn check_delete(alias: Option<&AliasRecord>, expected: u64) -> Result<KeyId, Refusal> {
    let alias = alias.ok_or(Refusal::AliasNotFound)?;
    let key_id = alias.key_id.ok_or(Refusal::AliasNotFound)?;
    match alias.revision == expected {
        true => Ok(key_id),
        false => Err(Refusal::Conflict),
    }
}

/// Takes the alias from the key that had it. That key's epoch moves: who reached it through the
/// alias does so no longer, and what caches got of it that way is void.
pub(super) fn take_from(frame: &mut Frame<'_>, key_id: KeyId, name: &str) {
    let Some(key) = frame.index.key(&key_id) else {
        return;
    };
    let mut key = key.clone();
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
