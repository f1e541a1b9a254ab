//! Containment: an order is complete only when the gateway has acknowledged it, or every lease from
//! before the order has run out.

use super::record::{Answer, Call, Op, Subject};

/// An order that was called complete too early.
#[derive(Debug)]
pub struct Early(pub Call);

/// How many orders were complete, and which of them too early.
#[must_use]
pub fn check(calls: &[Call]) -> (usize, Vec<Early>) {
    let orders = calls
        .iter()
        .filter_map(|call| match (call.op, call.answer) {
            (op, Answer::Done(epoch)) if is_order(op) && epoch > 0 => Some((call, epoch)),
            _ => None,
        });
    let (mut complete, mut early) = (0, Vec::new());
    for (order, epoch) in orders {
        complete += 1;
        let excuse = is_acknowledged(calls, order, epoch)
            || has_run_out(calls, order)
            || !may_be_forwarded(calls, order, epoch);
        if !excuse {
            early.push(Early(order.clone()));
        }
    }
    (complete, early)
}

/// Whether the gateway had begun to say so.
fn is_acknowledged(calls: &[Call], order: &Call, epoch: u64) -> bool {
    let said = |call: &Call| matches!(call.op, Op::Acknowledge(of) if of >= epoch);
    let mut same = calls.iter().filter(|call| call.subject == order.subject);
    same.any(|call| said(call) && call.begun < order.ended)
}

/// Whether leases from before the first order against the device have run out.
fn has_run_out(calls: &[Call], order: &Call) -> bool {
    let ordered = |call: &&Call| {
        call.subject == order.subject && matches!(call.op, Op::Isolate | Op::Release | Op::Revoke)
    };
    let first = calls.iter().filter(ordered).map(|call| call.begun).min();
    first.is_some_and(|first| order.ended - first >= LEASE_NS)
}

/// Whether a lease may stand whose gateway does not know of the order: one that was asked for
/// before any answer to the order. Later ones were granted with it.
fn may_be_forwarded(calls: &[Call], order: &Call, epoch: u64) -> bool {
    let same = |call: &&Call| {
        call.subject == order.subject && is_order(call.op) && call.answer == Answer::Done(epoch)
    };
    let answered = calls.iter().filter(same).map(|call| call.ended).min();
    let known = answered.unwrap_or(order.ended);
    let from = order.ended.saturating_sub(LEASE_NS);
    let mut leases = calls.iter().filter(|call| call.subject == Subject::Lease);
    leases.any(|lease| lease.ended >= from && lease.begun < known)
}

fn is_order(op: Op) -> bool {
    matches!(op, Op::Isolate | Op::Revoke)
}

const LEASE_NS: u64 = 10_000_000_000;

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;

    #[test]
    fn an_order_is_complete_once_it_is_acknowledged_or_leases_have_run_out() {
        let call = |begun, subject, op, number| Call {
            id: begun,
            client: 0,
            node: 1,
            subject,
            op,
            begun,
            ended: begun + 10,
            answer: Answer::Done(number),
            context: String::new(),
        };
        let device = Subject::Device(1);
        let check = |early: usize, others: &[Call], at: u64, epoch: u64| {
            let mut calls = others.to_vec();
            calls.push(call(at, device, Op::Isolate, epoch));
            assert_eq!(super::check(&calls).1.len(), early, "{calls:?}");
        };
        let lease = call(1, Subject::Lease, Op::Renew, 5);
        check(0, &[], 100, 1);
        check(1, slice::from_ref(&lease), 100, 1);
        check(0, slice::from_ref(&lease), 100, 0);
        check(
            0,
            &[lease.clone(), call(105, device, Op::Acknowledge(1), 0)],
            100,
            1,
        );
        check(
            1,
            &[lease.clone(), call(50, device, Op::Acknowledge(1), 0)],
            100,
            2,
        );
        check(
            1,
            &[lease.clone(), call(120, device, Op::Acknowledge(1), 0)],
            100,
            1,
        );
        // Answered before anybody had a lease, and asked for again.
        let first = call(1, device, Op::Isolate, 1);
        let later = call(50, Subject::Lease, Op::Renew, 5);
        check(0, &[first, later], 100, 1);
        // Ordered before, and pending since.
        let before = call(2, device, Op::Isolate, 0);
        let late = call(LEASE_NS, Subject::Lease, Op::Renew, 9);
        check(0, &[before, late], LEASE_NS + 100, 1);
    }
}
