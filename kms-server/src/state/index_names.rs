//! Reads over the index by which keys are found: names, aliases, labels.

use std::ops::Bound;

use envelope::id::KeyId;

use super::{AliasRecord, Index, KeyRecord, Labels, Record, RecordId};

impl Index {
    /// A key, by its name or by an alias.
    pub fn key_by_name_or_alias(&self, name: &str) -> Option<&KeyRecord> {
        // A key of the first format may be called as aliases are; then it is no alias.
        self.key_by_name(name)
            .or_else(|| self.key(&self.alias(name)?.key_id?))
    }

    /// An alias, or what a deleted one left.
    pub fn alias(&self, name: &str) -> Option<&AliasRecord> {
        let Record::Alias(found) = self.get(&RecordId::Alias(name.to_owned()))? else {
            return None;
        };
        Some(found)
    }

    /// Aliases by name, and what deleted ones left: those after `after` (exclusive; empty for all)
    /// that begin with `prefix`.
    pub fn aliases<'a>(
        &'a self,
        prefix: &'a str,
        after: &str,
    ) -> impl Iterator<Item = &'a AliasRecord> {
        let start = match after < prefix {
            true => Bound::Included(RecordId::Alias(prefix.to_owned())),
            false => Bound::Excluded(RecordId::Alias(after.to_owned())),
        };
        self.range((start, Bound::Unbounded))
            .map_while(|(_, record)| {
                let Record::Alias(found) = record else {
                    return None;
                };
                Some(found)
            })
            .take_while(move |alias| alias.name.starts_with(prefix))
    }

    /// The names of a key's aliases.
    pub fn aliases_of(&self, key_id: KeyId) -> impl Iterator<Item = &str> {
        let start = Bound::Included(RecordId::KeyAlias(key_id, String::new()));
        self.range((start, Bound::Unbounded))
            .map_while(move |(id, _)| {
                let RecordId::KeyAlias(of, name) = id else {
                    return None;
                };
                (*of == key_id).then_some(&**name)
            })
    }

    /// The labels of a key.
    pub fn key_labels(&self, id: &KeyId) -> Option<&Labels> {
        let Record::KeyLabels(found) = self.get(&RecordId::KeyLabels(*id))? else {
            return None;
        };
        Some(found)
    }
}
