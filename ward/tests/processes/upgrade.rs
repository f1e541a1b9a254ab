//! Nodes go to a newer version one after the other, across a change of the state's format: with two
//! builds of the tool, of which the newer knows one format more and writes what the older cannot
//! read.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{WARD, reason_of, skip, wait_for};
use crate::nodes::{Nodes, Writer};

/// Builds the tool that knows a format more, beside the one under test. Asked for as the tests of
/// the whole workspace are, it finds all that the two builds share built already. None where that
/// cannot be.
fn newer_build() -> Option<PathBuf> {
    let profile = Path::new(WARD).parent().unwrap();
    let target = profile.parent().unwrap();
    if profile.file_name().unwrap() != "debug" {
        skip("an upgrade to a build that does not compile for releases");
        return None;
    }
    let beside = target.join("rehearsal");
    let built = Command::new(env!("CARGO"))
        .args([
            "test",
            "--quiet",
            "--no-run",
            "--workspace",
            "--test",
            "processes",
        ])
        .args(["--features", "ward/rehearse-upgrade", "--target-dir"])
        .arg(&beside)
        .env("CARGO_BUILD_BUILD_DIR", target)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stdin(Stdio::null())
        .status();
    assert!(built.unwrap().success(), "the newer build");
    Some(beside.join("debug/ward"))
}

fn format_of(nodes: &Nodes) -> u64 {
    wait_for("the format", || nodes.status()?["format_version"].as_u64())
}

// Mutations: a leader that raises before all know it ends the nodes that do not; snapshots or logs
// that name the newest format their program knows, and not what they hold, keep the older out too
// early; a log that does not name what it holds is called damaged in the end.
#[test]
fn three_nodes_go_to_a_newer_format_one_by_one_and_no_write_fails() {
    let Some(newer) = newer_build() else {
        return;
    };
    let older = Path::new(WARD);
    let mut nodes = Nodes::of(3);
    let before = format_of(&nodes);
    let writer = Writer::start(&nodes, "upgrade");
    for number in 1..=3 {
        assert_eq!(format_of(&nodes), before, "before node {number}");
        nodes.stop(number);
        nodes.start(number, &newer);
        nodes.until_healthy(3, 1);
        if number == 1 {
            // Not yet raised: the way back is open.
            nodes.stop(number);
            nodes.start(number, older);
            nodes.until_healthy(3, 1);
            nodes.stop(number);
            nodes.start(number, &newer);
            nodes.until_healthy(3, 1);
        }
    }
    wait_for("the newer format", || {
        (format_of(&nodes) == before + 1).then_some(())
    });
    let written = writer.finish(&nodes);
    println!(
        "{} writes, the longest took {:?}",
        written.keys.len(),
        written.longest
    );
    assert!(written.keys.len() > 10, "{}", written.keys.len());

    // From here on there is no way back, and it says so.
    nodes.stop(2);
    let said = nodes.refused(2, older);
    assert_eq!(reason_of(&said), "VERSION_NEWER", "{said}");
    nodes.start(2, &newer);
    nodes.until_healthy(3, 1);

    // Nor does one of the older version join: it is sent entries that it cannot read, by a leader
    // whose address it was never told.
    let late = nodes.enroll();
    let said = nodes.refused(late, older);
    assert_eq!(reason_of(&said), "VERSION_NEWER", "{said}");
}
