//! What the cache holds: for each key and context its lease, and the fetch under way for it.
//! Synchronous; locked by [`super::Shared`] for a few lines at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use envelope::context::EncryptionContext;
use envelope::id::{KeyId, KeyVersion};
use sys::task::AbortOnDrop;
use tokio::sync::watch;

use super::lease::Lease;
use crate::error::Error;
use crate::limits::{LEASE_RETRY, LEASES_MAX, UNNAMED_CHANGES_MAX};
use crate::model::{KeyChange, KeySelector, KeyState};

/// What a lease is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct LeaseFor {
    pub(super) key: KeySelector,
    /// In canonical form, which is one for equal contexts.
    context: Vec<u8>,
}

impl LeaseFor {
    pub(super) fn new(key: &KeySelector, context: &EncryptionContext) -> Self {
        Self {
            key: key.clone(),
            context: context.encode(),
        }
    }

    pub(super) fn context(&self) -> Result<EncryptionContext, Error> {
        Ok(EncryptionContext::decode(&self.context)?)
    }

    /// Which key an alias means is known once there is a lease.
    fn is_by_alias(&self) -> bool {
        matches!(&self.key, KeySelector::Name(name) if name.starts_with("alias/"))
    }

    fn is_about(&self, change: &KeyChange) -> bool {
        match &self.key {
            KeySelector::Id(id) => *id == change.key_id,
            KeySelector::Name(name) => *name == change.name,
        }
    }
}

/// How a fetch ended, for all who wait for it; `None` while it runs.
pub(super) type Ending = Option<Result<(), Arc<Error>>>;

/// A fetch under way.
pub(super) struct Fetch {
    pub(super) ending: watch::Receiver<Ending>,
    /// Ends the task with the entry.
    pub(super) _task: AbortOnDrop<()>,
}

#[derive(Default)]
struct Entry {
    lease: Option<Arc<Lease>>,
    /// Whether the key may have changed unseen since the lease was fetched.
    suspect: bool,
    fetch: Option<Fetch>,
    /// Moves with each withdrawal and suspicion: a fetch that began before brings nothing of use.
    generation: u64,
    /// Keys that changed since the fetch under way asked, of which only the id was told, or which
    /// an alias may mean: the lease that it brings may be of one of them.
    unnamed: Vec<KeyId>,
    last_used: Duration,
    retry_at: Duration,
}

/// All entries.
#[derive(Default)]
pub(super) struct Entries {
    map: HashMap<LeaseFor, Entry>,
}

impl Entries {
    /// Reserves an object under the lease, if there is one with room for it.
    pub(super) fn reserve(
        &mut self,
        what: &LeaseFor,
        now: Duration,
        bytes: u64,
    ) -> Option<Arc<Lease>> {
        let entry = self.entry(what, now);
        entry
            .lease
            .as_ref()
            .filter(|lease| lease.reserve(now, bytes))
            .map(Arc::clone)
    }

    /// Tells whether a fetch should begin now: none runs, none failed just before, and `bytes`
    /// have no room, or the lease is suspect or half used up.
    pub(super) fn wants_fetch(&mut self, what: &LeaseFor, now: Duration, served: bool) -> bool {
        let entry = self.entry(what, now);
        let has_time = entry
            .lease
            .as_ref()
            .is_some_and(|lease| !entry.suspect && !lease.wants_successor(now));
        entry.fetch.is_none() && now >= entry.retry_at && !(served && has_time)
    }

    /// Answers where the running fetch will tell its ending.
    pub(super) fn running(&self, what: &LeaseFor) -> Option<watch::Receiver<Ending>> {
        Some(self.map.get(what)?.fetch.as_ref()?.ending.clone())
    }

    pub(super) fn begin(&mut self, what: &LeaseFor, now: Duration, fetch: Fetch) {
        self.entry(what, now).fetch = Some(fetch);
    }

    /// Begins to count what makes the answer to a request that leaves now useless.
    pub(super) fn ask(&mut self, what: &LeaseFor) -> u64 {
        self.map.get_mut(what).map_or(0, |entry| {
            entry.unnamed.clear();
            entry.generation
        })
    }

    /// Takes a lease that was fetched under `generation`; answers false when it was withdrawn
    /// meanwhile.
    pub(super) fn install(
        &mut self,
        what: &LeaseFor,
        now: Duration,
        generation: u64,
        lease: Lease,
    ) -> bool {
        let entry = self.entry(what, now);
        if entry.generation != generation || entry.unnamed.contains(&lease.key_id()) {
            return false;
        }
        entry.lease = Some(Arc::new(lease));
        entry.suspect = false;
        entry.fetch = None;
        true
    }

    /// Notes a failed fetch. A lease goes on while the cluster cannot be reached; a refusal ends
    /// it.
    pub(super) fn fail(&mut self, what: &LeaseFor, now: Duration, error: &Error) {
        let entry = self.entry(what, now);
        entry.fetch = None;
        entry.retry_at = now + LEASE_RETRY;
        if !error.reason().may_pass() {
            entry.lease = None;
        }
    }

    /// Drops the leases of a changed key; answers which are worth fetching again at once.
    pub(super) fn withdraw(&mut self, change: &KeyChange) -> Vec<LeaseFor> {
        let mut dropped = Vec::new();
        for (what, entry) in &mut self.map {
            let named_otherwise = change.name.is_empty() || what.is_by_alias();
            if named_otherwise && entry.fetch.is_some() {
                entry.note_unnamed(change.key_id);
            }
            let of_the_key = entry
                .lease
                .as_ref()
                .is_some_and(|lease| lease.key_id() == change.key_id);
            if !of_the_key && !what.is_about(change) {
                continue;
            }
            if entry.withdraw() && change.state == KeyState::Enabled {
                dropped.push(what.clone());
            }
        }
        dropped
    }

    /// Notes that any key may have changed unseen; answers which leases there are to be checked.
    pub(super) fn suspect_all(&mut self) -> Vec<LeaseFor> {
        for entry in self.map.values_mut() {
            entry.suspect();
        }
        self.suspects()
    }

    /// Drops what has outlived its age, and forgets what nobody asks for; answers which leases are
    /// still to be checked.
    pub(super) fn sweep(&mut self, now: Duration) -> Vec<LeaseFor> {
        for entry in self.map.values_mut() {
            if entry
                .lease
                .as_ref()
                .is_some_and(|lease| lease.is_too_old(now))
            {
                entry.lease = None;
            }
        }
        self.map
            .retain(|_, entry| entry.lease.is_some() || entry.fetch.is_some());
        self.suspects()
    }

    /// Whether a lease of this key that is not too old is under an older version than this.
    pub(super) fn holds_older(&self, now: Duration, key: KeyId, version: KeyVersion) -> bool {
        let mut leases = self.map.values().filter_map(|entry| entry.lease.as_ref());
        leases.any(|lease| {
            lease.key_id() == key && lease.key_version() < version && !lease.is_too_old(now)
        })
    }

    fn suspects(&self) -> Vec<LeaseFor> {
        let suspects = self
            .map
            .iter()
            .filter(|(_, entry)| entry.suspect && entry.lease.is_some());
        suspects.map(|(what, _)| what.clone()).collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    fn entry(&mut self, what: &LeaseFor, now: Duration) -> &mut Entry {
        if self.map.len() >= LEASES_MAX && !self.map.contains_key(what) {
            self.evict_oldest();
        }
        let entry = self.map.entry(what.clone()).or_default();
        entry.last_used = now;
        entry
    }

    fn evict_oldest(&mut self) {
        let oldest = self.map.iter().min_by_key(|(_, entry)| entry.last_used);
        if let Some(what) = oldest.map(|(what, _)| what.clone()) {
            self.map.remove(&what);
        }
    }
}

impl Entry {
    /// Answers whether there was a lease.
    fn withdraw(&mut self) -> bool {
        self.suspect();
        self.lease.take().is_some()
    }

    /// Remembers a key for the fetch under way; of too many, any may be the one.
    fn note_unnamed(&mut self, key_id: KeyId) {
        if self.unnamed.len() < UNNAMED_CHANGES_MAX {
            self.unnamed.push(key_id);
        } else {
            self.unnamed.clear();
            self.generation += 1;
        }
    }

    fn suspect(&mut self) {
        self.generation += 1;
        self.retry_at = Duration::ZERO;
        self.suspect = true;
    }
}
