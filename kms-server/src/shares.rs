//! Places that are few, shared out: so many at once, and so many for each holder, so that nobody
//! takes them all. Used for watch streams by identity and for handshakes by source address.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The places, and who holds how many.
pub(crate) struct Shares<K> {
    all_max: usize,
    each_max: usize,
    taken: Arc<Mutex<HashMap<K, usize>>>,
}

/// Why no place is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The holder has all that one may have.
    Own,
    /// Nobody gets another one now.
    All,
}

impl<K: Hash + Eq + Clone> Shares<K> {
    /// Gives out `all_max` places, at most `each_max` to one holder.
    pub(crate) fn new(all_max: usize, each_max: usize) -> Self {
        Self {
            all_max,
            each_max,
            taken: Arc::default(),
        }
    }

    /// Takes a place for `holder`.
    ///
    /// # Errors
    /// When there is none for it.
    pub(crate) fn take(&self, holder: K) -> Result<Share<K>, Full> {
        let mut taken = lock(&self.taken);
        let own = taken.get(&holder).copied().unwrap_or(0);
        if own >= self.each_max {
            return Err(Full::Own);
        }
        if taken.values().sum::<usize>() >= self.all_max {
            return Err(Full::All);
        }
        taken.insert(holder.clone(), own + 1);
        drop(taken);
        Ok(Share {
            taken: Arc::clone(&self.taken),
            holder,
        })
    }
}

/// One place; dropping it gives it back.
pub(crate) struct Share<K: Hash + Eq> {
    taken: Arc<Mutex<HashMap<K, usize>>>,
    holder: K,
}

impl<K: Hash + Eq> Drop for Share<K> {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        match taken.get_mut(&self.holder) {
            Some(own) if *own > 1 => *own -= 1,
            Some(_) | None => {
                taken.remove(&self.holder);
            }
        }
    }
}

fn lock<K>(taken: &Mutex<HashMap<K, usize>>) -> MutexGuard<'_, HashMap<K, usize>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_takes_its_share_and_others_theirs() {
        let shares = Shares::new(8, 3);
        let mut held: Vec<_> = (0..3).map(|_| shares.take("greedy").unwrap()).collect();
        assert_eq!(shares.take("greedy").err(), Some(Full::Own));
        let other = shares.take("other").unwrap();
        held.pop();
        held.push(shares.take("greedy").unwrap());
        drop((held, other));
        assert!(lock(&shares.taken).is_empty());
    }

    #[test]
    fn all_places_have_an_end_too() {
        let shares = Shares::new(4, 2);
        let all: Vec<_> = (0..4).map(|n| shares.take(n / 2).unwrap()).collect();
        assert_eq!(shares.take(9).err(), Some(Full::All));
        drop(all);
        assert!(shares.take(9).is_ok());
    }
}
