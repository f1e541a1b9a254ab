//! What was seen, of one history and of many.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::Harm;
use crate::history::check::Verdict;

/// What was seen in one history.
pub struct Report {
    /// Calls by how they ended: done, refused, unknown.
    pub calls: [usize; 3],
    /// How often which harm was done.
    pub harm: BTreeMap<Harm, usize>,
    /// How often a node ended at which of its named points.
    pub crashes: BTreeMap<&'static str, usize>,
    /// What the checkers say.
    pub verdict: Verdict,
    /// How long it took.
    pub time: Duration,
}

/// What was seen in several.
#[derive(Default)]
pub struct Total {
    histories: usize,
    calls: [usize; 3],
    harm: BTreeMap<Harm, usize>,
    crashes: BTreeMap<&'static str, usize>,
    revocations: usize,
    shown: usize,
    leases: usize,
    contained: usize,
    /// By checker.
    violations: BTreeMap<&'static str, usize>,
    time: Duration,
}

impl Total {
    /// Whether no checker found anything.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.violations.is_empty()
    }

    /// Adds one.
    pub fn add(&mut self, report: &Report) {
        self.histories += 1;
        for (sum, count) in self.calls.iter_mut().zip(report.calls) {
            *sum += count;
        }
        for (harm, count) in &report.harm {
            *self.harm.entry(*harm).or_default() += count;
        }
        for (point, count) in &report.crashes {
            *self.crashes.entry(point).or_default() += count;
        }
        self.revocations += report.verdict.revocations;
        self.shown += report.verdict.shown;
        self.leases += report.verdict.leases;
        self.contained += report.verdict.contained;
        for (checker, _) in &report.verdict.violations {
            *self.violations.entry(*checker).or_default() += 1;
        }
        self.time += report.time;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [done, refused, unknown] = self.calls;
        write!(
            f,
            "{done} done, {refused} refused, {unknown} without answer; {} revocations, {} of them \
             seen to refuse, {} leases, {} orders complete; {:?}; {:.1} s; violations {}",
            self.verdict.revocations,
            self.verdict.shown,
            self.verdict.leases,
            self.verdict.contained,
            self.harm,
            self.time.as_secs_f64(),
            self.verdict.violations.len()
        )?;
        for (checker, what) in self.verdict.violations.iter().take(SHOWN_MAX) {
            write!(f, "\n  {checker}: {what}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [done, refused, unknown] = self.calls;
        write!(
            f,
            "{} histories, {} calls ({done} done, {refused} refused, {unknown} without answer), \
             {} revocations, {} of them seen to refuse, {} leases, {} orders complete, {:?}, ended at {:?}, {:.0} s; violations {:?}",
            self.histories,
            done + refused + unknown,
            self.revocations,
            self.shown,
            self.leases,
            self.contained,
            self.harm,
            self.crashes,
            self.time.as_secs_f64(),
            self.violations
        )
    }
}

const SHOWN_MAX: usize = 5;
