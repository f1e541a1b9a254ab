//! Revocation and everything else that is answered, under harm: short histories, all checkers.

use std::path::Path;

use cluster_tests::scenario::histories::{self, Harm, Size};

/// Runs one and demands that everything it was told can be true.
fn check(calls: usize, harms: &[Harm]) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let size = Size {
        seed: fastrand::u64(..1_000_000),
        nodes: 3,
        calls,
        harms: harms.to_vec(),
    };
    let ward = Path::new(env!("CARGO_BIN_EXE_ward-cluster"));
    let keep = Path::new(env!("CARGO_TARGET_TMPDIR")).join("histories");
    let Some(report) = histories::run(ward, dir.path(), &keep, &size) else {
        return;
    };
    sys::talk::say(format_args!("seed {}: {report}", size.seed));
    assert!(
        report.verdict.violations.is_empty(),
        "see {}",
        keep.display()
    );
    // Positive controls: there was something to check.
    let [done, refused, _] = report.calls;
    assert!(done > calls / 4 && refused > 0, "{report}");
    assert!(report.verdict.revocations > calls / 50, "{report}");
    assert!(report.verdict.leases > 10, "{report}");
}

#[test]
fn what_clients_are_told_under_kills_and_pauses_can_be_true() {
    check(2_000, &Harm::PLAIN);
}

#[test]
fn what_clients_are_told_while_nodes_are_cut_off_can_be_true() {
    check(2_000, &Harm::WAYS);
}

#[test]
fn what_clients_are_told_around_power_cuts_can_be_true() {
    check(2_000, &Harm::DISKS);
}

#[test]
fn what_clients_are_told_while_nodes_end_anywhere_can_be_true() {
    check(2_000, &Harm::CRASHES);
}
