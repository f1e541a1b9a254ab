//! Short histories: whatever clients were told can be true.

use std::path::Path;

use cluster_tests::scenario::histories::{self, Harm, Report, Size};

/// Runs one and demands that everything it was told can be true, and that there was something to
/// check.
fn check(harms: &[Harm]) -> Option<Report> {
    let _alone = crate::alone();
    let dir = tempfile::tempdir().expect("a temporary folder");
    let size = Size {
        seed: fastrand::u64(..1_000_000),
        nodes: 3,
        calls: CALLS,
        harms: harms.to_vec(),
    };
    sys::talk::say(format_args!("seed {}", size.seed));
    let keep = Path::new(env!("CARGO_TARGET_TMPDIR")).join("histories");
    let report = histories::run(crate::ward(), dir.path(), &keep, &size)?;
    sys::talk::say(format_args!("seed {}: {report}", size.seed));
    let verdict = &report.verdict;
    let kept = keep.join(size.seed.to_string());
    assert!(verdict.violations.is_empty(), "see {}", kept.display());
    let [done, refused, _] = report.calls;
    assert!(done > CALLS / 4 && refused > 0, "{report}");
    // A machine that does much else gets to less; nothing to check is what must not pass.
    assert!(verdict.revocations > CALLS / 100, "{report}");
    assert!(verdict.shown > CALLS / 400, "{report}");
    assert!(verdict.leases > 10, "{report}");
    assert!(report.harm.values().sum::<usize>() > 0, "{report}");
    Some(report)
}

#[test]
fn what_clients_are_told_under_kills_and_pauses_can_be_true() {
    check(&Harm::PLAIN);
}

#[test]
fn what_clients_are_told_while_nodes_are_cut_off_can_be_true() {
    check(&Harm::WAYS);
}

#[test]
fn what_clients_are_told_around_power_cuts_can_be_true() {
    check(&Harm::DISKS);
}

#[test]
fn what_clients_are_told_while_nodes_end_anywhere_can_be_true() {
    let report = check(&Harm::CRASHES);
    assert!(report.is_none_or(|report| !report.crashes.is_empty()));
}

const CALLS: usize = 1_200;
