//! Reads over the index for jobs that rewrap, and for what archives hold.

use std::ops::Bound;

use envelope::id::KeyId;

use super::{ArchiveReport, Index, KeyCensus, Record, RecordId, RewrapProgress, RewrapRecord};

impl Index {
    /// The last job of a key.
    pub fn rewrap(&self, key_id: &KeyId) -> Option<&RewrapRecord> {
        let Record::Rewrap(found) = self.get(&RecordId::Rewrap(*key_id))? else {
            return None;
        };
        Some(found)
    }

    /// The jobs that run, and no others are looked at.
    pub fn running_rewraps(&self) -> impl Iterator<Item = &RewrapRecord> {
        let first = RecordId::RunningRewrap(KeyId::from_bytes([0; 16]));
        self.range((Bound::Included(first), Bound::Unbounded))
            .map_while(|(id, _)| {
                let RecordId::RunningRewrap(key_id) = id else {
                    return None;
                };
                Some(*key_id)
            })
            .filter_map(|key_id| self.rewrap(&key_id))
    }

    /// How far one gateway is with a job of this key, this one or an earlier.
    pub fn rewrap_progress(&self, key_id: &KeyId, gateway: &str) -> Option<&RewrapProgress> {
        let id = RecordId::RewrapProgress(*key_id, gateway.to_owned());
        let Record::RewrapProgress(found) = self.get(&id)? else {
            return None;
        };
        Some(found)
    }

    /// How far each gateway is with the last job of a key that it was ever asked for.
    pub fn rewrap_progresses(
        &self,
        key_id: KeyId,
    ) -> impl Iterator<Item = (&str, &RewrapProgress)> {
        let first = RecordId::RewrapProgress(key_id, String::new());
        self.range((Bound::Included(first), Bound::Unbounded))
            .map_while(move |(id, record)| match (id, record) {
                (RecordId::RewrapProgress(of, gateway), Record::RewrapProgress(found))
                    if *of == key_id =>
                {
                    Some((&**gateway, &**found))
                }
                _ => None,
            })
    }

    /// How well the archive of a gateway is known; none of one that never told.
    pub fn archive_report(&self, gateway: &str) -> Option<&ArchiveReport> {
        let Record::ArchiveReport(found) =
            self.get(&RecordId::ArchiveReport(gateway.to_owned()))?
        else {
            return None;
        };
        Some(found)
    }

    /// The reports of all gateways that ever told, by id.
    pub fn archive_reports(&self) -> impl Iterator<Item = &ArchiveReport> {
        let first = RecordId::ArchiveReport(String::new());
        self.range((Bound::Included(first), Bound::Unbounded))
            .map_while(|(_, record)| {
                let Record::ArchiveReport(found) = record else {
                    return None;
                };
                Some(&**found)
            })
    }

    /// What each gateway holds under a key, as far as that still counts: what a gateway has not
    /// told again since it told everything is there no more.
    pub fn key_census(&self, key_id: KeyId) -> impl Iterator<Item = (&str, &KeyCensus)> {
        let first = RecordId::KeyCensus(key_id, String::new());
        self.range((Bound::Included(first), Bound::Unbounded))
            .map_while(move |(id, record)| match (id, record) {
                (RecordId::KeyCensus(of, gateway), Record::KeyCensus(found)) if *of == key_id => {
                    Some((&**gateway, &**found))
                }
                _ => None,
            })
            .filter(|(gateway, census)| {
                let report = self.archive_report(gateway);
                report.is_none_or(|it| !it.whole || it.session == census.session)
            })
    }
}
