//! All checkers over one history.

use std::collections::BTreeMap;
use std::fmt::Debug;

use kms_client::reason::Reason;

use super::audit::Logs;
use super::device::DeviceModel;
use super::durability::{self, Last};
use super::key::KeyModel;
use super::record::{Answer, Call, Subject};
use super::{containment, lease, linear, revocation};

/// What is to be checked.
pub struct Evidence<'a> {
    /// The calls, in the order of their beginnings.
    pub calls: &'a [Call],
    /// What each node told at the end.
    pub last: &'a [Last],
    /// The audit logs of all nodes.
    pub logs: &'a Logs,
    /// Whether an audit log may have had no room: then what only takes something away is answered
    /// without a record.
    pub disks_were_full: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Revocations that were answered.
    pub revocations: usize,
    /// Those of them after which something was refused.
    pub shown: usize,
    /// Orders that were complete.
    pub contained: usize,
    /// Leases that were granted.
    pub leases: usize,
    /// What must not be, each with the checker that found it.
    pub violations: Vec<(&'static str, String)>,
}

/// Checks everything.
#[must_use]
pub fn check(evidence: &Evidence<'_>) -> Verdict {
    let Evidence {
        calls,
        last,
        logs,
        disks_were_full,
    } = *evidence;
    let mut verdict = Verdict::default();
    for (subject, calls) in by_subject(calls) {
        let checked = match subject {
            Subject::Key(_) => linear::check::<KeyModel>(&calls),
            Subject::Device(_) => linear::check::<DeviceModel>(&calls),
            Subject::Lease => Ok(()),
        };
        if let Err(violation) = checked {
            verdict.found("linearizability", &(subject, violation));
        }
    }
    let seen = revocation::check(calls);
    seen.late
        .iter()
        .for_each(|late| verdict.found("revocation", late));
    let (leases, stale) = lease::check(calls);
    stale.iter().for_each(|stale| verdict.found("lease", stale));
    let (contained, early) = containment::check(calls);
    early
        .iter()
        .for_each(|early| verdict.found("containment", early));
    (verdict.revocations, verdict.shown) = (seen.answered, seen.shown);
    (verdict.leases, verdict.contained) = (leases, contained);
    for node in last {
        let wrong = durability::check(calls, node);
        wrong.iter().for_each(|it| verdict.found("durability", it));
        if Some(node) != last.first() {
            verdict.found("durability", &"nodes differ at the end");
        }
    }
    let missing = logs.missing(calls, disks_were_full);
    missing.iter().for_each(|call| verdict.found("audit", call));
    let broken = calls
        .iter()
        .filter(|call| matches!(call.answer, Answer::Unknown(Reason::Internal)));
    broken.for_each(|call| verdict.found("internal error", call));
    verdict
}

impl Verdict {
    /// Adds what a checker found.
    pub fn found(&mut self, checker: &'static str, what: &impl Debug) {
        self.violations.push((checker, format!("{what:?}")));
    }
}

fn by_subject(calls: &[Call]) -> BTreeMap<Subject, Vec<Call>> {
    let mut subjects: BTreeMap<Subject, Vec<Call>> = BTreeMap::new();
    for call in calls {
        subjects.entry(call.subject).or_default().push(call.clone());
    }
    subjects
}
