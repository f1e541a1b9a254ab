//! Unwrapped key versions, for at most a minute.
//!
//! Entries are found by key, version and epoch: the apply that disables a key moves its epoch,
//! and from that step on the old entry cannot be found. No hook, no invalidation, nothing to
//! arrive late. Age is absolute and counted on a clock that runs through suspend.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::limits::{CACHE_AGE_MAX, CACHE_ENTRIES_MAX};
use super::material::Material;
use envelope::id::{KeyId, KeyVersion};

/// What an entry is found by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Slot {
    pub(super) key_id: KeyId,
    pub(super) version: KeyVersion,
    pub(super) epoch: u64,
}

/// The cache. Secrets are wiped when the entry goes and the last running call lets go.
pub(super) struct Cache {
    entries: HashMap<Slot, Entry>,
    /// Oldest first; exactly the keys of `entries`.
    by_age: VecDeque<Slot>,
}

struct Entry {
    material: Arc<Material>,
    since: Duration,
}

impl Cache {
    pub(super) fn new() -> Self {
        Self {
            entries: HashMap::new(),
            by_age: VecDeque::new(),
        }
    }

    /// Finds an entry that is young enough.
    pub(super) fn get(&mut self, slot: &Slot, now: Duration) -> Option<Arc<Material>> {
        self.sweep(now);
        self.entries
            .get(slot)
            .map(|entry| Arc::clone(&entry.material))
    }

    /// Keeps `material`; a full cache gives up its oldest entry.
    pub(super) fn put(&mut self, slot: Slot, material: Arc<Material>, now: Duration) {
        self.sweep(now);
        if self.entries.contains_key(&slot) {
            // Two calls unwrapped it at once. The older one's age stands.
            return;
        }
        if self.entries.len() == CACHE_ENTRIES_MAX {
            self.drop_oldest();
        }
        let entry = Entry {
            material,
            since: now,
        };
        self.entries.insert(slot, entry);
        self.by_age.push_back(slot);
    }

    /// Wipes what is too old.
    pub(super) fn sweep(&mut self, now: Duration) {
        while let Some(slot) = self.by_age.front() {
            let since = self.entries.get(slot).map(|entry| entry.since);
            if since.is_some_and(|since| now.saturating_sub(since) < CACHE_AGE_MAX) {
                return;
            }
            self.drop_oldest();
        }
    }

    /// Wipes everything.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.by_age.clear();
    }

    fn drop_oldest(&mut self) {
        if let Some(slot) = self.by_age.pop_front() {
            self.entries.remove(&slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use envelope::secret::SecretKey;

    use super::*;

    fn slot(version: u32, epoch: u64) -> Slot {
        let key_id = KeyId::from_bytes([9; 16]);
        Slot {
            key_id,
            version: KeyVersion(version),
            epoch,
        }
    }

    fn secret() -> Arc<Material> {
        Arc::new(Material::Aes256Gcm(SecretKey::generate()))
    }

    const START: Duration = Duration::from_secs(1_000);

    #[test]
    fn an_entry_lives_a_minute_whether_used_or_not() {
        let mut cache = Cache::new();
        cache.put(slot(1, 0), secret(), START);
        for second in 0..60 {
            assert!(
                cache
                    .get(&slot(1, 0), START + Duration::from_secs(second))
                    .is_some()
            );
        }
        assert!(cache.get(&slot(1, 0), START + CACHE_AGE_MAX).is_none());
        assert!(cache.entries.is_empty() && cache.by_age.is_empty());
    }

    #[test]
    fn a_second_insertion_does_not_make_an_entry_younger() {
        let mut cache = Cache::new();
        cache.put(slot(1, 0), secret(), START);
        cache.put(slot(1, 0), secret(), START + Duration::from_secs(59));
        assert!(cache.get(&slot(1, 0), START + CACHE_AGE_MAX).is_none());
    }

    #[test]
    fn another_epoch_or_version_is_not_found() {
        let mut cache = Cache::new();
        cache.put(slot(1, 0), secret(), START);
        assert!(cache.get(&slot(1, 1), START).is_none());
        assert!(cache.get(&slot(2, 0), START).is_none());
    }

    #[test]
    fn the_count_is_bounded_and_evicted_secrets_have_no_holder_left() {
        let mut cache = Cache::new();
        let first = secret();
        let watch = Arc::downgrade(&first);
        cache.put(slot(0, 0), first, START);
        let max = u32::try_from(CACHE_ENTRIES_MAX).unwrap();
        for version in 1..=max {
            cache.put(slot(version, 0), secret(), START);
            assert!(cache.entries.len() <= CACHE_ENTRIES_MAX);
            assert_eq!(cache.entries.len(), cache.by_age.len());
        }
        assert!(watch.upgrade().is_none());
        assert!(cache.get(&slot(max, 0), START).is_some());
        cache.clear();
        assert!(cache.get(&slot(max, 0), START).is_none());
    }
}
