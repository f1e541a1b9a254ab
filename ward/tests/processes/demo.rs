//! `ward demo`: the story comes to its end, and touches nothing that was there before.

use std::process::Command;

use crate::harness::WARD;

#[test]
fn the_story_is_told_to_its_end_and_everything_stays_where_asked() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("new");
    let output = Command::new(WARD)
        .args(["demo", "--data-dir"])
        .arg(&home)
        // Somebody's real cluster is not the demo's to use.
        .env("WARD_HOME", dir.path().join("real"))
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}\n{said}");
    for line in [
        "answered   20 of 20",
        "between the gateways; 0 times the name",
        "under version 1, 10 under version 2",
        "the same bytes; the answer is the archive system's own",
        "0 times the name, 0 rows of the image",
        "6 objects: one a message",
        "all answered",
        "a new connection of the monitor carries nothing",
        "the bytes that were sent",
        "0 gaps, nothing is missing",
        "found      0 lines",
        "one letter of an exported copy: found, in line",
    ] {
        assert!(told.contains(line), "no line `{line}` in:\n{told}");
    }
    assert!(!told.contains('\u{1b}'), "no colours where nobody looks");
    assert!(home.join("cluster.toml").exists(), "the data stays");
    assert!(!dir.path().join("real").exists());
}

#[test]
fn a_folder_with_anything_in_it_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mine"), "precious").unwrap();
    let output = Command::new(WARD)
        .args(["demo", "--data-dir"])
        .arg(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error[INVALID_ARGUMENT]: "), "{said}");
    assert!(output.stdout.is_empty(), "nothing is told");
    let left = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 1, "nothing was made");
}
