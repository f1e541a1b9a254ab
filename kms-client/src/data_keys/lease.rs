//! A leased data key and what may still be done under it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use envelope::context::EncryptionContext;
use envelope::id::{DataKeyId, KeyId, KeyVersion};
use envelope::secret::SecretKey;

use crate::model::{CacheLimits, DataKey};

/// A data key on lease. Who holds it may finish the object that was begun under it; for the next
/// object the cache is asked again.
pub struct Lease {
    key: DataKey,
    key_id: KeyId,
    key_version: KeyVersion,
    limits: CacheLimits,
    /// On the clock that also runs while the machine sleeps; the age counts from here.
    sent_at: Duration,
    used: Mutex<Used>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Used {
    objects: u64,
    bytes: u64,
}

impl Lease {
    pub(super) fn new(
        key: DataKey,
        key_id: KeyId,
        key_version: KeyVersion,
        limits: CacheLimits,
        sent_at: Duration,
    ) -> Self {
        Self {
            key,
            key_id,
            key_version,
            limits,
            sent_at,
            used: Mutex::default(),
        }
    }

    /// The data key's own id.
    #[must_use]
    pub fn id(&self) -> DataKeyId {
        self.key.id
    }

    /// The data key itself.
    #[must_use]
    pub fn secret(&self) -> &SecretKey {
        &self.key.secret
    }

    /// What to store beside the data.
    #[must_use]
    pub fn wrapped(&self) -> &[u8] {
        &self.key.wrapped
    }

    /// The whole context it was wrapped under; every object's context contains it.
    #[must_use]
    pub fn context(&self) -> &EncryptionContext {
        &self.key.context
    }

    /// Which key wrapped it.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Which version wrapped it.
    #[must_use]
    pub fn key_version(&self) -> KeyVersion {
        self.key_version
    }

    /// Gives back what an object did not need of the bytes reserved for it.
    pub fn give_back(&self, bytes: u64) {
        let mut used = self.lock();
        used.bytes = used.bytes.saturating_sub(bytes);
    }

    /// Reserves one object of at most `bytes`; answers whether the limits leave room for it.
    pub(super) fn reserve(&self, now: Duration, bytes: u64) -> bool {
        if self.is_too_old(now) {
            return false;
        }
        let mut used = self.lock();
        let after = Used {
            objects: used.objects.saturating_add(1),
            bytes: used.bytes.saturating_add(bytes),
        };
        let fits = after.objects <= self.limits.max_objects && after.bytes <= self.limits.max_bytes;
        if fits {
            *used = after;
        }
        fits
    }

    /// Tells whether a successor should be fetched while this one still serves: half of any limit
    /// is used up.
    pub(super) fn wants_successor(&self, now: Duration) -> bool {
        let used = *self.lock();
        now.saturating_sub(self.sent_at) >= self.limits.max_age / 2
            || used.objects >= self.limits.max_objects / 2
            || used.bytes >= self.limits.max_bytes / 2
    }

    pub(super) fn is_too_old(&self, now: Duration) -> bool {
        now.saturating_sub(self.sent_at) >= self.limits.max_age
    }

    fn lock(&self) -> MutexGuard<'_, Used> {
        // Two numbers, changed together: nothing can panic between them.
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lease(limits: CacheLimits, sent_at: Duration) -> Lease {
        let key = DataKey {
            id: DataKeyId::random(),
            secret: SecretKey::generate(),
            wrapped: vec![1],
            context: EncryptionContext::new(),
        };
        Lease::new(key, KeyId::random(), KeyVersion(1), limits, sent_at)
    }

    #[derive(Debug, Clone)]
    enum Step {
        Reserve(u64),
        GiveBackOfLast(u64),
        Wait(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            (0..400_u64).prop_map(Step::Reserve),
            (0..400_u64).prop_map(Step::GiveBackOfLast),
            (0..30_u64).prop_map(Step::Wait),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn no_limit_is_ever_exceeded(
            max_age_ms in 0..2000_u64,
            max_objects in 0..60_u64,
            max_bytes in 0..10_000_u64,
            steps in steps(),
        ) {
            let limits =
                CacheLimits { max_age: Duration::from_millis(max_age_ms), max_objects, max_bytes };
            let sent_at = Duration::from_secs(1000);
            let lease = lease(limits, sent_at);
            let (mut now, mut objects, mut bytes, mut last) = (sent_at, 0, 0, 0);
            for step in steps {
                match step {
                    Step::Wait(ms) => now += Duration::from_millis(ms),
                    Step::GiveBackOfLast(part) => {
                        let unused = part.min(last);
                        lease.give_back(unused);
                        bytes -= unused;
                        last -= unused;
                    }
                    Step::Reserve(want) => {
                        let room = now < sent_at + limits.max_age
                            && objects < max_objects
                            && bytes + want <= max_bytes;
                        prop_assert_eq!(lease.reserve(now, want), room);
                        if room {
                            (objects, bytes, last) = (objects + 1, bytes + want, want);
                        }
                    }
                }
                prop_assert!(objects <= max_objects && bytes <= max_bytes);
            }
        }
    }

    #[test]
    fn a_successor_is_wanted_at_half_of_any_limit() {
        let limits = CacheLimits {
            max_age: Duration::from_secs(10),
            max_objects: 4,
            max_bytes: 100,
        };
        let sent_at = Duration::from_secs(50);
        let fresh = lease(limits, sent_at);
        assert!(!fresh.wants_successor(sent_at + Duration::from_secs(4)));
        assert!(fresh.wants_successor(sent_at + Duration::from_secs(5)));
        assert!(fresh.reserve(sent_at, 50));
        assert!(fresh.wants_successor(sent_at));
        fresh.give_back(10);
        assert!(!fresh.wants_successor(sent_at));
        assert!(fresh.reserve(sent_at, 0));
        assert!(fresh.wants_successor(sent_at));
    }
}
