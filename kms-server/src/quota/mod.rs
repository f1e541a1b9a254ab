//! Quotas: what identities have used lately at this node, held against what they may.
//!
//! The quotas are in the replicated state; the uses are counted here, in memory, so that a use of a
//! key costs no entry of the log (ADR 0025). Each of N nodes serves a limit's N-th part: whatever
//! node is asked, and however often, all of them together serve no more than the limit.

mod window;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use self::window::Window;
use crate::limits::COUNTED_IDENTITIES_MAX;
use crate::policy::Action;
use crate::state::{QuotaClass, QuotaLimit, QuotaRecord, Role};

/// What a use of a key counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cost {
    action: Action,
    count: u32,
}

impl Cost {
    /// An action on a key; `count` is how many data keys it asks for, 1 elsewhere.
    pub(crate) fn new(action: Action, count: u32) -> Self {
        Self { action, count }
    }

    fn of(self, class: QuotaClass) -> u32 {
        let counts = match class {
            QuotaClass::Opens => opens(self.action),
            QuotaClass::Makes => makes(self.action),
            // Moving a blob is one use, counted where it is opened.
            QuotaClass::Uses => self.action != Action::ReEncryptTo,
        };
        if counts { self.count } else { 0 }
    }
}

fn opens(action: Action) -> bool {
    matches!(
        action,
        Action::Decrypt | Action::UnwrapDataKey | Action::ReEncryptFrom
    )
}

fn makes(action: Action) -> bool {
    matches!(
        action,
        Action::GenerateDataKey | Action::GenerateDataKeyWithoutPlaintext
    )
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exceeded {
    /// This much was used.
    Used {
        /// The limit that has room last.
        limit: QuotaLimit,
        /// When it has, if nothing else is used.
        wait: Duration,
    },
    /// It can never be had at once.
    TooMany {
        /// The limit that it is more than.
        limit: QuotaLimit,
        /// What this node serves of it.
        share: u32,
    },
    /// As many identities as this node can count have used keys lately.
    NoRoom,
}

/// What was used at this node.
#[derive(Default)]
pub(crate) struct Quotas {
    used: Mutex<HashMap<(Role, String), Used>>,
}

impl Quotas {
    /// Counts a use of a key against each limit of `quota`, or against none: what is refused is not
    /// counted. `nodes` is how many share the limits, `now` any clock that only runs forward.
    ///
    /// # Errors
    /// Which limit it is beyond.
    pub(crate) fn charge(
        &self,
        who: (Role, &str),
        quota: &QuotaRecord,
        cost: Cost,
        nodes: usize,
        now: Duration,
    ) -> Result<(), Exceeded> {
        let mut all = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let who = (who.0, who.1.to_owned());
        if all.len() >= COUNTED_IDENTITIES_MAX && !all.contains_key(&who) {
            all.retain(|_, used| !used.is_idle(now));
            if all.len() >= COUNTED_IDENTITIES_MAX {
                return Err(Exceeded::NoRoom);
            }
        }
        let used = all.entry(who).or_default();
        used.count_what(&quota.limits);
        used.check(cost, nodes, now)?;
        used.add(cost, now);
        Ok(())
    }

    /// Of how many identities it knows uses.
    pub(crate) fn len(&self) -> usize {
        let all = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        all.len()
    }
}

/// What one identity used.
#[derive(Default)]
struct Used(Vec<(QuotaLimit, Window)>);

impl Used {
    /// Keeps what was counted for the same class and time: a quota that is changed forgives
    /// nothing.
    fn count_what(&mut self, limits: &[QuotaLimit]) {
        if self.0.iter().map(|(limit, _)| limit).eq(limits) {
            return;
        }
        let kept = std::mem::take(&mut self.0);
        let window = |limit: &QuotaLimit| {
            let same = kept.iter().find(|(former, _)| {
                (former.class, former.window_s) == (limit.class, limit.window_s)
            });
            let fresh = || Window::new(Duration::from_secs(limit.window_s.into()));
            (
                *limit,
                same.map_or_else(fresh, |(_, window)| window.clone()),
            )
        };
        self.0 = limits.iter().map(window).collect();
    }

    fn check(&mut self, cost: Cost, nodes: usize, now: Duration) -> Result<(), Exceeded> {
        let mut longest: Option<(QuotaLimit, Duration)> = None;
        for (limit, window) in &mut self.0 {
            let (wanted, share) = (cost.of(limit.class), share(limit.amount, nodes));
            let limit = *limit;
            if wanted > share {
                return Err(Exceeded::TooMany { limit, share });
            }
            let most = u64::from(share - wanted);
            if wanted == 0 || window.count(now) <= most {
                continue;
            }
            let wait = window.until(now, most);
            if longest.is_none_or(|(_, longest)| wait > longest) {
                longest = Some((limit, wait));
            }
        }
        match longest {
            Some((limit, wait)) => Err(Exceeded::Used { limit, wait }),
            None => Ok(()),
        }
    }

    fn add(&mut self, cost: Cost, now: Duration) {
        for (limit, window) in &mut self.0 {
            window.add(now, cost.of(limit.class));
        }
    }

    fn is_idle(&mut self, now: Duration) -> bool {
        self.0.iter_mut().all(|(_, window)| window.count(now) == 0)
    }
}

/// What one node serves of a limit; each serves one at least.
fn share(amount: u32, nodes: usize) -> u32 {
    let nodes = u32::try_from(nodes).unwrap_or(u32::MAX).max(1);
    (amount / nodes).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPENS_A_SECOND: QuotaLimit = limit(QuotaClass::Opens, 9, 1);
    const OPENS_A_DAY: QuotaLimit = limit(QuotaClass::Opens, 20, 86_400);
    const MAKES: QuotaLimit = limit(QuotaClass::Makes, 30, 60);
    const USES: QuotaLimit = limit(QuotaClass::Uses, 100, 60);

    const fn limit(class: QuotaClass, amount: u32, window_s: u32) -> QuotaLimit {
        QuotaLimit {
            class,
            amount,
            window_s,
        }
    }

    fn quota(limits: &[QuotaLimit]) -> QuotaRecord {
        QuotaRecord {
            role: Role::App,
            id: "portal".into(),
            revision: 1,
            limits: limits.to_vec(),
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(1_000_000 + seconds)
    }

    struct Node(Quotas, usize);

    impl Node {
        fn of(nodes: usize) -> Self {
            Self(Quotas::default(), nodes)
        }

        fn uses(
            &self,
            limits: &[QuotaLimit],
            (action, count): (Action, u32),
            now: Duration,
        ) -> Result<(), Exceeded> {
            let who = (Role::App, "portal");
            let cost = Cost::new(action, count);
            self.0.charge(who, &quota(limits), cost, self.1, now)
        }

        /// How many of so many single uses are served at one moment.
        fn served(&self, limits: &[QuotaLimit], action: Action, now: Duration) -> usize {
            let served = (0..200).filter(|_| self.uses(limits, (action, 1), now).is_ok());
            served.count()
        }
    }

    #[test]
    fn every_limit_holds_at_once() {
        let node = Node::of(1);
        let limits = [OPENS_A_SECOND, OPENS_A_DAY];
        let open = |now| node.served(&limits, Action::UnwrapDataKey, now);
        assert_eq!((open(at(0)), open(at(0)), open(at(2))), (9, 0, 9));
        // Two are left of the day's twenty.
        assert_eq!((open(at(4)), open(at(6)), open(at(3_600))), (2, 0, 0));
        let refused = node.uses(&limits, (Action::Decrypt, 1), at(3_600));
        let Err(Exceeded::Used { limit, wait }) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(limit, OPENS_A_DAY);
        let there = at(3_600) + wait;
        assert!(
            there >= at(86_400) && there <= at(86_400 + 5_400),
            "{wait:?}"
        );
        assert_eq!(node.served(&limits, Action::Decrypt, there), 9);
    }

    // Mutation: with the whole limit at each node, three nodes serve three times as much.
    #[test]
    fn all_nodes_together_serve_the_limit_and_no_more() {
        let nodes = [0; 3].map(|_| Node::of(3));
        let served = nodes
            .iter()
            .map(|node| node.served(&[OPENS_A_SECOND], Action::Decrypt, at(0)));
        assert_eq!(served.collect::<Vec<_>>(), [3, 3, 3]);
    }

    #[test]
    fn each_class_counts_what_it_says_and_data_keys_count_each() {
        let node = Node::of(1);
        let limits = [MAKES, USES];
        for action in [Action::Encrypt, Action::Sign, Action::VerifyMac] {
            assert_eq!(node.uses(&limits, (action, 1), at(0)), Ok(()));
        }
        let make = |count| node.uses(&limits, (Action::GenerateDataKey, count), at(0));
        assert_eq!(make(25), Ok(()));
        assert!(matches!(make(6), Err(Exceeded::Used { limit: MAKES, .. })));
        // Nothing of what was refused was counted.
        assert_eq!(make(5), Ok(()));
        let never = Exceeded::TooMany {
            limit: MAKES,
            share: 30,
        };
        assert_eq!(make(31), Err(never));
        // Of the hundred uses, 33 are gone: a move is one, for its source.
        assert_eq!(node.served(&limits, Action::ReEncryptFrom, at(0)), 67);
        assert_eq!(node.served(&limits, Action::ReEncryptTo, at(0)), 200);
    }

    // Mutation: with fresh windows at each change, whoever may change a quota resets it.
    #[test]
    fn a_quota_that_is_changed_forgives_nothing() {
        let node = Node::of(1);
        let open = |limits: &[QuotaLimit]| node.served(limits, Action::Decrypt, at(0));
        assert_eq!(open(&[OPENS_A_DAY]), 20);
        let raised = limit(QuotaClass::Opens, 25, 86_400);
        assert_eq!(open(&[USES, raised]), 5);
        assert_eq!(open(&[OPENS_A_DAY]), 0);
    }

    #[test]
    fn identities_that_use_nothing_make_room_for_others() {
        let quotas = Quotas::default();
        let one = quota(&[OPENS_A_SECOND]);
        let charge = |n: usize, now| {
            let cost = Cost::new(Action::Decrypt, 1);
            quotas.charge((Role::App, &format!("app-{n}")), &one, cost, 1, now)
        };
        for n in 0..COUNTED_IDENTITIES_MAX {
            assert_eq!(charge(n, at(0)), Ok(()));
        }
        assert_eq!(charge(COUNTED_IDENTITIES_MAX, at(0)), Err(Exceeded::NoRoom));
        assert_eq!(charge(COUNTED_IDENTITIES_MAX, at(2)), Ok(()));
        assert_eq!(quotas.len(), 1);
    }
}
