//! Since when this leader waits for which order.
//!
//! Kept in memory: a new leader does not know when the former one applied an order, so it begins
//! the wait anew, and so does this one when it comes back in another term.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::state::{ALLOWANCE_DEFAULT_S, FormerGateway, IdentityState, Index, Role};

/// A gateway that an order waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Its id.
    pub(crate) gateway_id: String,
    /// It can forward no longer after so long.
    pub(crate) remaining: Duration,
}

/// The waits of this node.
pub(crate) struct Waits {
    lease: Duration,
    begun: Mutex<Begun>,
}

/// Waits that began in one term.
#[derive(Default)]
struct Begun {
    term: u64,
    /// By device.
    orders: BTreeMap<String, Since>,
    /// By gateway.
    former: BTreeMap<String, Since>,
}

struct Since {
    epoch: u64,
    at: Instant,
}

impl Waits {
    /// Waits for leases that run for `lease`.
    pub(crate) fn new(lease: Duration) -> Self {
        Self {
            lease,
            begun: Mutex::default(),
        }
    }

    /// How long a lease runs.
    pub(crate) fn lease(&self) -> Duration {
        self.lease
    }

    /// Who is waited for before the order that stands for a device is complete. `now` was read
    /// after `index` was: what it holds was applied before.
    pub(crate) fn pending(
        &self,
        index: &Index,
        term: u64,
        device_id: &str,
        now: Instant,
    ) -> Vec<Pending> {
        let order = index.containment(device_id);
        let mut begun = self.begun(term);
        if order.is_settled() {
            begun.orders.remove(device_id);
            return Vec::new();
        }
        let since = Since::of(&mut begun.orders, device_id, order.epoch, now);
        let longest = longest(self.lease, order.allowance_held_s);
        let left = |since: Instant| (since + longest).saturating_duration_since(now);
        let mut pending = Vec::new();
        for gateway in index.identities(Role::Gateway) {
            let heard = index.acknowledged(device_id, &gateway.id) >= order.epoch;
            if gateway.state == IdentityState::Active && !heard {
                pending.push(Pending {
                    gateway_id: gateway.id.clone(),
                    remaining: left(since),
                });
            }
        }
        for former in index.former_gateways() {
            let lost = Since::of(&mut begun.former, &former.gateway_id, former.epoch, now);
            pending.push(Pending {
                gateway_id: former.gateway_id.clone(),
                remaining: left(since.min(lost)),
            });
        }
        pending.retain(|gateway| !gateway.remaining.is_zero());
        pending
    }

    /// Former gateways that can forward for no device any more.
    pub(crate) fn gone(&self, index: &Index, term: u64, now: Instant) -> Vec<FormerGateway> {
        let mut begun = self.begun(term);
        let known: Vec<_> = index.former_gateways().cloned().collect();
        begun
            .former
            .retain(|id, _| known.iter().any(|former| former.gateway_id == *id));
        let held = index.containments().map(|order| order.allowance_held_s);
        let longest = longest(self.lease, held.fold(ALLOWANCE_DEFAULT_S, u32::max));
        let mut gone = known;
        gone.retain(|former| {
            let lost = Since::of(&mut begun.former, &former.gateway_id, former.epoch, now);
            now.saturating_duration_since(lost) >= longest
        });
        gone
    }

    fn begun(&self, term: u64) -> MutexGuard<'_, Begun> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.term != term {
            *begun = Begun {
                term,
                ..Begun::default()
            };
        }
        begun
    }
}

impl Since {
    /// When the wait for `epoch` began; now, if it did not yet.
    fn of(waits: &mut BTreeMap<String, Self>, id: &str, epoch: u64, now: Instant) -> Instant {
        match waits.get(id) {
            Some(known) if known.epoch == epoch => known.at,
            Some(_) | None => {
                waits.insert(id.to_owned(), Self { epoch, at: now });
                now
            }
        }
    }
}

/// The longest that a gateway forwards after it lost touch: its lease and the allowance, and what
/// two clocks may differ in that time.
fn longest(lease: Duration, allowance_s: u32) -> Duration {
    let told = lease + Duration::from_secs(allowance_s.into());
    told + told / CLOCKS_DIVISOR + CLOCKS_SPARE
}

/// Two clocks differ by one part in so many at most.
const CLOCKS_DIVISOR: u32 = 100;
/// What reading them may take.
const CLOCKS_SPARE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{ContainLevel, ContainmentRecord, IdentityRecord, Record, RecordId};

    const LEASE: Duration = Duration::from_secs(10);

    fn order(epoch: u64, allowance_s: u32) -> Record {
        Record::Containment(Box::new(ContainmentRecord {
            level: ContainLevel::Isolate,
            epoch,
            ..ContainmentRecord::initial("mon-1", allowance_s)
        }))
    }

    fn index(gateways: &[&str], order: Record) -> Index {
        let mut index = Index::default();
        for id in gateways {
            let identity = IdentityRecord {
                role: Role::Gateway,
                id: (*id).to_owned(),
                state: IdentityState::Active,
                keys: Vec::new(),
            };
            let at = RecordId::Identity(Role::Gateway, (*id).to_owned());
            index.put(at, Some(Record::Identity(identity)));
        }
        index.put(RecordId::Containment("mon-1".to_owned()), Some(order));
        index
    }

    fn acknowledge(index: &mut Index, gateway: &str, epoch: u64) {
        let id = RecordId::Acknowledgement("mon-1".to_owned(), gateway.to_owned());
        index.put(id, Some(Record::Acknowledgement(epoch)));
    }

    fn ids(pending: &[Pending]) -> Vec<&str> {
        let ids = pending.iter().map(|gateway| gateway.gateway_id.as_str());
        ids.collect()
    }

    #[test]
    fn each_gateway_is_waited_for_until_it_acknowledged_this_very_order() {
        let waits = Waits::new(LEASE);
        let now = sys::clock::monotonic();
        let mut index = index(&["core", "edge"], order(2, 0));
        assert_eq!(
            ids(&waits.pending(&index, 1, "mon-1", now)),
            ["core", "edge"]
        );
        acknowledge(&mut index, "core", 1);
        assert_eq!(
            ids(&waits.pending(&index, 1, "mon-1", now)),
            ["core", "edge"]
        );
        acknowledge(&mut index, "core", 2);
        assert_eq!(ids(&waits.pending(&index, 1, "mon-1", now)), ["edge"]);
        acknowledge(&mut index, "edge", 2);
        assert_eq!(waits.pending(&index, 1, "mon-1", now), []);
    }

    #[test]
    fn one_that_is_never_heard_of_is_waited_for_until_lease_and_allowance_are_over_for_sure() {
        let waits = Waits::new(LEASE);
        let began = sys::clock::monotonic();
        let index = index(&["edge"], order(1, 60));
        // 70 s, 1 % of it, and 100 ms.
        let longest = Duration::from_millis(70_800);
        let left = |now| waits.pending(&index, 1, "mon-1", now)[0].remaining;
        assert_eq!(left(began), longest);
        let later = began + Duration::from_secs(70);
        assert_eq!(left(later), Duration::from_millis(800));
        assert_eq!(waits.pending(&index, 1, "mon-1", began + longest), []);
    }

    #[test]
    fn another_term_and_another_order_begin_the_wait_anew() {
        let waits = Waits::new(LEASE);
        let began = sys::clock::monotonic();
        let later = began + Duration::from_secs(5);
        let mut index = index(&["edge"], order(1, 0));
        let left = |index: &Index, term| waits.pending(index, term, "mon-1", later)[0].remaining;
        let whole = waits.pending(&index, 1, "mon-1", began)[0].remaining;
        assert_eq!(left(&index, 1), whole - Duration::from_secs(5));
        assert_eq!(left(&index, 2), whole);
        waits.pending(&index, 3, "mon-1", began);
        index.put(RecordId::Containment("mon-1".to_owned()), Some(order(2, 0)));
        assert_eq!(left(&index, 3), whole);
    }

    #[test]
    fn a_former_gateway_is_waited_for_until_what_it_held_is_used_up_and_then_never_again() {
        let waits = Waits::new(LEASE);
        let lost = sys::clock::monotonic();
        let mut index = index(&[], order(1, 0));
        let former = FormerGateway {
            gateway_id: "edge".to_owned(),
            epoch: 1,
        };
        let id = RecordId::FormerGateway("edge".to_owned());
        index.put(id, Some(Record::FormerGateway(former.clone())));
        assert_eq!(waits.gone(&index, 1, lost), []);
        // An order that comes later waits no longer than the loss has left.
        let ordered = lost + Duration::from_secs(4);
        let left = waits.pending(&index, 1, "mon-1", ordered)[0].remaining;
        assert_eq!(left, Duration::from_millis(6_200));
        let over = lost + Duration::from_millis(10_200);
        assert_eq!(waits.pending(&index, 1, "mon-1", over), []);
        // Another device may have the default allowance.
        assert_eq!(waits.gone(&index, 1, over), []);
        assert_eq!(
            waits.gone(&index, 1, lost + longest(LEASE, 3_600)),
            [former]
        );
    }
}
