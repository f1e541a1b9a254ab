//! The whole stack as a user has it: real processes on loopback, one scenario a test.

use std::collections::BTreeSet;
use std::path::Path;

use cluster_tests::scenario::{self, contain};
use cluster_tests::skip::skip;

const WARD: &str = env!("CARGO_BIN_EXE_ward-cluster");

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[test]
fn python_hl7_messages_are_answered_in_order_and_archived_exactly() {
    let dir = folder();
    match scenario::hl7::run(Path::new(WARD), dir.path(), 200) {
        Some(report) => {
            assert_eq!(report.messages, (200, 200));
            assert_eq!(
                report.objects,
                (200, 200),
                "one object a message and direction"
            );
        }
        None => skip("python-hl7 (install python3-hl7 or pip's hl7)"),
    }
}

#[test]
fn dicom_files_arrive_and_come_back_and_are_archived_as_messages() {
    let dir = folder();
    let Some(report) = scenario::dicom::run(Path::new(WARD), dir.path(), 5) else {
        skip(cluster_tests::dicom::TOOLS);
        return;
    };
    assert!(report.stored >= 3 && report.retrieved >= 2, "{report:?}");
    let objects = |kind: &str| report.objects.get(kind).copied().unwrap_or_default();
    // Each file is stored twice by the device, and once by the server that brings it back.
    assert!(objects("C-STORE-RQ") >= 2 * report.stored, "{report:?}");
    assert!(objects("C-MOVE-RQ") >= report.retrieved, "{report:?}");
    assert_eq!(objects(""), 0, "nothing was opaque: {report:?}");
}

#[test]
fn planted_names_are_seen_on_the_legs_and_nowhere_else() {
    let dir = folder();
    let report = match scenario::wire::run(Path::new(WARD), dir.path(), 20) {
        Ok(report) => report,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            skip("packet capture (needs CAP_NET_RAW)");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let (near, far) = report.on_the_legs;
    assert!(
        near >= 20 && far >= 20,
        "positive control: both legs are clear, each message was captured: {near}, {far}"
    );
    assert!(
        report.between_gateways > 0,
        "positive control: the tunnel was captured"
    );
    assert_eq!(
        report.elsewhere, 0,
        "a planted name crossed loopback elsewhere"
    );
    assert!(report.files.0 > 10, "positive control: there are files");
    assert_eq!(report.files.1, 0, "a planted name lies on disk");
    assert_eq!(
        report.opened, 20,
        "positive control: the objects give it back"
    );
}

#[test]
fn canaries_come_out_of_nothing_that_is_logged_or_answered() {
    let dir = folder();
    let report = scenario::canaries::run(Path::new(WARD), dir.path());
    let controls = &report.controls;
    assert!(report.planted.0 > 100, "{report:?}");
    assert_eq!(controls.logs, 5);
    assert_eq!(
        controls.untraced, [""; 0],
        "each log is traced from its beginning to its end"
    );
    assert_eq!(controls.lines_left_out, 0, "the logs are whole");
    assert_eq!(
        controls.audited,
        (true, true, true),
        "a key's name is found"
    );
    assert!(controls.listed, "a key's name is found");
    // Three nodes, each with 18 calls to its API and 5 to its join listener.
    assert_eq!(controls.asked, (69, 69), "every call was answered");
    // Four of each node, two of the core, the edge's page; three texts each.
    assert_eq!(controls.listeners, 15);
    assert_eq!(controls.plain, 45);
    assert_eq!(controls.silent, [""; 0], "every listener answered");
    assert_eq!(controls.received, (5, 5), "the servers got the payloads");
    assert_eq!(controls.archived, 5, "the archive gives them back");
    assert_eq!(controls.decrypted, (true, true));
    assert!(controls.inventory, "the inventory is shown to who asks");
    // Nodes, gateways, devices, the operator and the reader have keys.
    let homes = [("audit-key.der", 3), ("key.pem", 12), ("root", 1)];
    let homes = homes.map(|(name, count)| (name, (count, count)));
    assert_eq!(controls.at_home, homes.into(), "secrets are found");
    for kind in ["logs", "verbs", "answers", "audit", "metrics", "files"] {
        let searched = report
            .searched
            .iter()
            .any(|(place, _, bytes)| *place == kind && *bytes > 0);
        assert!(searched, "{kind}: {:?}", report.searched);
    }
    assert_eq!(report.leaks, [], "where none may be");
}

#[test]
fn every_key_is_there_after_stops_and_losses() {
    let dir = folder();
    let size = scenario::keys::Size {
        keys: 300,
        patience: cluster_tests::wait::DEADLINE,
    };
    let report = scenario::keys::run(Path::new(WARD), dir.path(), size, &mut |_| {});
    assert_eq!(report.stages.len(), 5);
    for stage in &report.stages {
        assert_eq!(stage.counted, [300; 3], "{}", stage.what);
        assert_eq!(stage.opened, (300, 300), "{}", stage.what);
        assert!(stage.resident.iter().all(|bytes| *bytes > 0));
    }
    for (what, bytes) in &report.disk {
        assert!(*what == "snapshots" || *bytes > 0, "{what}");
    }
    assert_eq!(report.snapshot_bytes, None, "so few keys are in Raft's log");
}

#[test]
fn a_stranger_gets_nothing() {
    let dir = folder();
    let report = scenario::stranger::run(Path::new(WARD), dir.path());
    assert!(
        report.tried.len() >= 4,
        "three nodes and a core: {:?}",
        report.tried
    );
    for (who, bytes) in &report.tried {
        assert_eq!(*bytes, 0, "{who} gave {bytes} bytes to a stranger");
    }
    assert_eq!(report.upstream_connections, 0);
}

#[test]
fn kills_lose_nothing_acknowledged() {
    let dir = folder();
    let report = scenario::kills::run(Path::new(WARD), dir.path(), 1);
    assert_eq!(report.cuts.len(), 3);
    assert!(report.acknowledged > 0);
    assert_eq!(report.missing, 0, "acknowledged keys are missing");
    let kept = &report.kept;
    eprintln!(
        "{} messages answered: {} archived, {} in a gap, {} cut off, {} lost; {} objects, {} gaps",
        report.answered,
        kept.archived,
        kept.in_gaps,
        kept.cut_off,
        kept.lost.len(),
        kept.objects,
        kept.gaps
    );
    assert!(kept.archived > 0, "positive control: there is an archive");
    assert!(
        kept.lost.is_empty(),
        "neither kept nor told: {:?}",
        kept.lost
    );
}

#[test]
fn a_key_disabled_through_one_node_is_refused_by_each_other() {
    let dir = folder();
    let report = scenario::disabled::run(Path::new(WARD), dir.path(), 10);
    assert_eq!(report.opened_before, 30);
    assert_eq!((report.tried, report.refused), (20, 20));
}

#[test]
fn endings_are_the_same_as_on_one_wire() {
    let dir = folder();
    let rows = scenario::endings::run(Path::new(WARD), dir.path(), 1);
    for row in &rows {
        assert!(
            row.same(),
            "{}: direct: {}; pair: {}",
            row.name,
            row.direct,
            row.pair
        );
    }
}

#[test]
fn a_contained_device_is_silent_once_its_order_is_complete() {
    let dir = folder();
    let size = contain::Size {
        rounds: 3,
        flows: 16,
    };
    let report = contain::run(Path::new(WARD), dir.path(), size);
    assert_eq!(report.flows, (8, 16));
    assert_eq!(report.rounds.len(), 3);
    for round in &report.rounds {
        assert_eq!(round.late_bytes, 0, "bytes after the answer complete");
    }
    match &report.offline {
        Some(orders) => cut_off_from_the_kms(orders),
        None => skip("gateways cut off from the KMS (needs root)"),
    }
    let [first, second] = &report.paused[..] else {
        panic!("one order for a device of each pair");
    };
    for seen in [first, second] {
        assert_eq!(names(&seen.pending), ["core-2", "edge-1", "edge-2"]);
        assert!(
            seen.written > 0,
            "positive control: there was something to forward"
        );
        let most = seen.late_bytes.iter().max().expect("there are flows");
        assert!(
            *most <= WRITE_BYTES_MAX,
            "{:?} after the pause",
            seen.late_bytes
        );
        let most = seen.writes_max;
        assert!(most < seen.late_bytes.len(), "some end could show a fault");
        assert!(
            seen.late_ends() <= most,
            "bytes at {} ends after the pause, of {} with at most {most} writes under way",
            seen.late_ends(),
            seen.late_bytes.len()
        );
    }
    assert_eq!(report.others_cut, 0, "flows of other devices were cut");
}

fn cut_off_from_the_kms(orders: &[contain::Offline]) {
    let [first, second] = orders else {
        panic!("one order for a device of each pair");
    };
    assert_eq!(names(&first.pending), ["edge-1"]);
    assert_eq!(names(&second.pending), ["core-2", "edge-1", "edge-2"]);
    assert!(!first.went_on, "the core of the pair heard the order");
    assert!(
        second.went_on,
        "positive control: nobody of the pair heard the order"
    );
    for seen in orders {
        assert!(seen.deadline.is_some(), "positive control: it was pending");
        assert!(!seen.byte_after_deadline, "a byte after the deadline");
        assert!(
            !seen.complete_early,
            "complete while a gateway might forward"
        );
        assert_eq!(seen.late_bytes, 0, "bytes after the answer complete");
    }
}

fn names(gateways: &BTreeSet<String>) -> Vec<&str> {
    gateways.iter().map(String::as_str).collect()
}

/// What one write of a gateway moves at most for a flow that never fills a larger buffer.
const WRITE_BYTES_MAX: u64 = 64 * 1024;
