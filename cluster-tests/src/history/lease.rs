//! Leases: one that was asked for after an order was answered names an index at which the order
//! stands, so that no gateway can forward past an order on the word of a node that does not know
//! it.
//!
//! The index of an order is not told. But it is greater than that of every lease that was answered
//! before the order was asked for, and that is enough.

use std::collections::BTreeMap;

use super::record::{Answer, Call, Op, Subject};

/// A lease that does not know of an order.
#[derive(Debug)]
pub struct Stale {
    /// A lease from before the order.
    pub before: Call,
    /// The order that was answered since.
    pub order: Call,
    /// A lease asked for after that, with no greater index than the first.
    pub after: Call,
}

/// How many leases were granted, and which do not know of an order.
#[must_use]
pub fn check(calls: &[Call]) -> (usize, Vec<Stale>) {
    let leases: Vec<(&Call, u64)> = calls
        .iter()
        .filter_map(|call| match (call.op, call.answer) {
            (Op::Renew, Answer::Done(index)) => Some((call, index)),
            _ => None,
        })
        .collect();
    let mut stale = Vec::new();
    for (begun, order) in orders(calls) {
        let before = leases.iter().filter(|(lease, _)| lease.ended < begun);
        let Some((before, index)) = before.max_by_key(|(_, index)| *index) else {
            continue;
        };
        let after = leases
            .iter()
            .filter(|(lease, told)| lease.begun > order.ended && told <= index);
        stale.extend(after.map(|(after, _)| Stale {
            before: (*before).clone(),
            order: order.clone(),
            after: (*after).clone(),
        }));
    }
    (leases.len(), stale)
}

/// What changed a device, from when it may have. A device is made once and revoked once; which of
/// several revocations did it is not known, nor whether an order that is given again changes
/// anything.
fn orders(calls: &[Call]) -> Vec<(u64, &Call)> {
    let mut orders = Vec::new();
    let mut revoked: BTreeMap<Subject, (u64, Option<&Call>)> = BTreeMap::new();
    let devices = calls
        .iter()
        .filter(|call| matches!(call.subject, Subject::Device(_)));
    for call in devices {
        if call.op == Op::Create && call.is_done() {
            orders.push((call.begun, call));
        }
        if call.op == Op::Revoke {
            // In the order of their beginnings: the first entry is the earliest.
            let (_, answered) = revoked.entry(call.subject).or_insert((call.begun, None));
            let is_earlier = answered.is_none_or(|other| call.ended < other.ended);
            if call.is_done() && is_earlier {
                *answered = Some(call);
            }
        }
    }
    orders.extend(
        revoked
            .into_values()
            .filter_map(|(begun, call)| Some((begun, call?))),
    );
    orders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_after_an_order_must_know_of_it() {
        let call = |begun, op, subject, number| Call {
            id: begun,
            client: 0,
            node: 1,
            subject,
            op,
            begun,
            ended: begun + 1,
            answer: Answer::Done(number),
            context: String::new(),
        };
        let lease = |begun, index| call(begun, Op::Renew, Subject::Lease, index);
        let order = call(10, Op::Create, Subject::Device(1), 0);
        let check = |after: u64, index: u64| {
            let calls = [lease(1, 5), order.clone(), lease(after, index)];
            super::check(&calls).1.len()
        };
        assert_eq!(check(20, 6), 0);
        assert_eq!(check(20, 5), 1);
        assert_eq!(check(20, 4), 1);
        assert_eq!(check(10, 5), 0, "it overlaps the order");
        // Either of two may be the one that did it.
        let revoke = |begun| call(begun, Op::Revoke, Subject::Device(2), 0);
        let check = |before: u64| {
            let calls = [revoke(10), lease(before, 5), revoke(20), lease(30, 5)];
            super::check(&calls).1.len()
        };
        assert_eq!(check(5), 1);
        assert_eq!(check(15), 0);
    }
}
