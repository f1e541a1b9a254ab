//! Places for watch streams: bounded for the node, and for each identity, so that nobody takes
//! them all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kms_client::reason::Reason;

use crate::api::failure::Failure;
use crate::limits::{WATCHES_MAX, WATCHES_PER_IDENTITY_MAX};

/// Who watches, and how often.
#[derive(Clone, Default)]
pub(crate) struct WatchPlaces {
    taken: Arc<Mutex<HashMap<String, usize>>>,
}

impl WatchPlaces {
    /// Takes a place for the identity of this SPIFFE URI.
    ///
    /// # Errors
    /// QUOTA for an identity that has all it may have, OVERLOADED for a node that has none left.
    pub(super) fn take(&self, identity: String) -> Result<WatchPlace, Failure> {
        let mut taken = self.taken();
        let own = taken.get(&identity).copied().unwrap_or(0);
        if own >= WATCHES_PER_IDENTITY_MAX {
            let message = "this identity has as many watches as one may have here; end one";
            return Err(Failure::new(Reason::Quota, message));
        }
        if taken.values().sum::<usize>() >= WATCHES_MAX {
            let message = "this node has no room for another watch; ask another";
            return Err(Failure::new(Reason::Overloaded, message));
        }
        taken.insert(identity.clone(), own + 1);
        drop(taken);
        Ok(WatchPlace {
            places: self.clone(),
            identity,
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One place; dropping it gives it back.
pub(super) struct WatchPlace {
    places: WatchPlaces,
    identity: String,
}

impl Drop for WatchPlace {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        match taken.get_mut(&self.identity) {
            Some(own) if *own > 1 => *own -= 1,
            Some(_) | None => {
                taken.remove(&self.identity);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_identity_takes_its_share_and_others_theirs() {
        let places = WatchPlaces::default();
        let mut held: Vec<_> = (0..WATCHES_PER_IDENTITY_MAX)
            .map(|_| places.take("greedy".into()).unwrap())
            .collect();
        let refused = places.take("greedy".into()).err().unwrap();
        assert_eq!(refused.reason, Reason::Quota);
        let other = places.take("other".into()).unwrap();
        held.pop();
        held.push(places.take("greedy".into()).unwrap());
        drop((held, other));
        assert!(places.taken().is_empty());
    }

    #[test]
    fn the_node_has_an_end_too() {
        let places = WatchPlaces::default();
        let all = (0..WATCHES_MAX).map(|n| places.take((n / 2).to_string()).unwrap());
        let all: Vec<_> = all.collect();
        let refused = places.take("late".into()).err().unwrap();
        assert_eq!(refused.reason, Reason::Overloaded);
        drop(all);
    }
}
