//! The gateway's lease: until when what it knows of the cluster may be acted on. Renewed by the
//! control runtime, read before every write of every flow.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The end of the lease on `CLOCK_BOOTTIME`, which also runs while the machine sleeps. Before the
/// first one it is over.
#[derive(Debug, Default)]
pub struct Lease(AtomicU64);

/// Holds a granted lease back until everything that was ordered before it is known here.
///
/// The KMS names the index that a lease was granted at. Used before the watch has told everything
/// up to there, the lease would cover an order that is still on its way.
#[derive(Debug)]
pub struct LeaseBook {
    lease: Arc<Lease>,
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    /// Everything up to here is known, whatever is missed later; `None` before the first table.
    through: Option<u64>,
    /// Granted, and not yet usable. A newer one takes its place: heartbeats come more often than
    /// leases, so none waits for ever.
    granted: Option<Granted>,
}

#[derive(Clone, Copy, Debug)]
struct Granted {
    index: u64,
    until: Duration,
}

impl Lease {
    /// When it ends; `None` when there never was one.
    pub fn until(&self) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            nanoseconds => Some(Duration::from_nanos(nanoseconds)),
        }
    }

    /// Moves its end, never back.
    pub fn extend(&self, until: Duration) {
        self.0.fetch_max(nanoseconds(until), Ordering::Relaxed);
    }

    /// In nanoseconds, 0 before the first one: for the byte path.
    pub(super) fn until_ns(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl LeaseBook {
    /// Nothing granted, nothing known.
    pub fn new(lease: Arc<Lease>) -> Self {
        Self {
            lease,
            pages: Mutex::default(),
        }
    }

    /// The KMS has granted a lease behind this index. `until` counts from when it was asked for.
    /// Answers whether a lease was taken into use by that.
    pub fn granted(&self, index: u64, until: Duration) -> bool {
        let mut pages = self.pages();
        pages.granted = Some(Granted { index, until });
        self.use_granted(&mut pages)
    }

    /// Everything up to this index is known. Answers whether a lease was taken into use by that.
    pub fn known_through(&self, index: u64) -> bool {
        let mut pages = self.pages();
        pages.through = Some(pages.through.map_or(index, |through| through.max(index)));
        self.use_granted(&mut pages)
    }

    fn use_granted(&self, pages: &mut Pages) -> bool {
        let known = pages.through;
        let usable = pages
            .granted
            .take_if(|granted| known >= Some(granted.index));
        if let Some(granted) = usable {
            self.lease.extend(granted.until);
        }
        usable.is_some()
    }

    fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// As the atomics hold it: enough for 584 years of uptime.
pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Duration = Duration::from_secs(100);

    #[test]
    fn a_lease_waits_for_what_was_ordered_before_it() {
        let lease = Arc::<Lease>::default();
        let book = LeaseBook::new(Arc::clone(&lease));
        book.granted(7, LATER);
        assert_eq!(lease.until(), None, "nothing is known yet");
        book.known_through(6);
        assert_eq!(lease.until(), None, "an order at 7 may be on its way");
        book.known_through(7);
        assert_eq!(lease.until(), Some(LATER));
    }

    #[test]
    fn what_is_known_stays_known_and_what_came_later_is_waited_for() {
        let lease = Arc::<Lease>::default();
        let book = LeaseBook::new(Arc::clone(&lease));
        book.known_through(9);
        book.granted(9, LATER);
        book.granted(10, LATER * 2);
        assert_eq!(lease.until(), Some(LATER), "the one in use stays");
        // Events were missed, but none up to 9: nothing has changed since.
        book.granted(9, LATER * 3);
        assert_eq!(lease.until(), Some(LATER * 3));
        book.granted(12, LATER * 4);
        book.known_through(12);
        assert_eq!(lease.until(), Some(LATER * 4));
    }

    #[test]
    fn its_end_never_moves_back() {
        let lease = Lease::default();
        lease.extend(LATER);
        lease.extend(LATER / 2);
        assert_eq!(lease.until(), Some(LATER));
    }
}
