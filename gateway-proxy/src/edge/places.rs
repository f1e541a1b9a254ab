//! How many idle tunnels a reverse route has on offer, over all data threads: always a few, and for
//! a while some more that have carried a flow. Kept by [`super::reverse`].

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

use crate::limits::{OFFERS_IDLE_MAX, OFFERS_KEPT_MAX};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Places {
    idle: AtomicUsize,
    freed: Notify,
}

/// What an idle tunnel on offer holds.
#[derive(Debug)]
pub(super) struct Place(Arc<Places>);

impl Places {
    /// A place for a fresh tunnel, as soon as there are too few.
    pub(super) async fn missing(self: &Arc<Self>) -> Place {
        loop {
            // Before the look, so that a place freed right behind it is heard of.
            let mut freed = pin!(self.freed.notified());
            freed.as_mut().enable();
            if let Some(place) = self.take(OFFERS_IDLE_MAX) {
                return place;
            }
            freed.await;
        }
    }

    /// A place for a tunnel that has carried a flow, if there is one.
    pub(super) fn keep(self: &Arc<Self>) -> Option<Place> {
        self.take(OFFERS_IDLE_MAX + OFFERS_KEPT_MAX)
    }

    /// Whether there are more than there always are.
    pub(super) fn has_spare(&self) -> bool {
        self.idle.load(Ordering::Acquire) > OFFERS_IDLE_MAX
    }

    fn take(self: &Arc<Self>, most: usize) -> Option<Place> {
        let below = |idle| (idle < most).then_some(idle + 1);
        let taken = self
            .idle
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, below);
        taken.is_ok().then(|| Place(Arc::clone(self)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.idle.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_tunnel_is_missing_only_while_too_few_are_idle() {
        let places = Arc::<Places>::default();
        let mut held = Vec::new();
        for _ in 0..OFFERS_IDLE_MAX {
            held.push(places.missing().await);
        }
        assert!(places.missing().now_or_never().is_none());
        assert!(!places.has_spare());
        held.extend(std::iter::from_fn(|| places.keep()));
        assert_eq!(held.len(), OFFERS_IDLE_MAX + OFFERS_KEPT_MAX);
        assert!(places.has_spare());
        // Whichever is taken: those that are left serve the next flows.
        held.truncate(OFFERS_IDLE_MAX);
        assert!(places.missing().now_or_never().is_none());
        let (place, ()) = tokio::join!(places.missing(), async { held.truncate(1) });
        drop(place);
    }
}
