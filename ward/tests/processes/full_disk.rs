//! A file system that is full for real: what cannot be kept is refused with its remedy, devices go
//! on, and everything works again once there is room.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::archive::{listed, send_messages};
use crate::harness::{Stack, free_address, refused, skip, succeeded, wait_for};
use crate::servers::{Server, mllp};

/// A file system of its own, small and in memory; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None where it cannot be mounted, and that is skipped.
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64m", "ward-test"]);
        if mount.arg(&at).status().is_ok_and(|status| status.success()) {
            return Some(Self(at));
        }
        skip("a full disk (only root can mount one)");
        None
    }

    /// Writes a file until nothing more fits.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = File::create(&path).unwrap();
        for chunk in [vec![0; 64 * 1024], vec![0; 64]] {
            let error = loop {
                if let Err(error) = file.write_all(&chunk) {
                    break error;
                }
            };
            assert_eq!(error.kind(), ErrorKind::StorageFull);
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a stack that still runs when a test fails keeps what it has open.
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.0).status();
        assert!(unmounted.unwrap().success() || std::thread::panicking());
    }
}

#[test]
fn a_full_disk_stops_what_must_be_kept_and_no_device() {
    let server = Server::hl7();
    let monitor = free_address();
    let route = format!("mon-1:hl7@{monitor}={}", server.address);
    let mut stack = Stack::new(&["--route", &route]);
    let Some(disk) = SmallDisk::mount(stack.dir()) else {
        return;
    };
    stack.start();
    stack.json(&["key", "create", "before"]);
    let nodes = || ["node-1", "node-2", "node-3"].map(|name| stack.pid(name));
    let before = nodes();
    let filler = disk.fill();

    let refusal = stack.ward(&["key", "create", "meanwhile"]);
    let said = String::from_utf8_lossy(&refusal.stderr).into_owned();
    assert_eq!(refused(&refusal), "STORAGE_FULL");
    assert!(said.contains("free some space"), "{said}");
    // A last page of the audit log may still have room for records.
    let encrypt = ["encrypt", "--key", "before"];
    wait_for("an audit log that is full", || {
        let output = stack.ward_with(&encrypt, b"x");
        let full = !output.status.success();
        assert!(!full || output.stdout.is_empty(), "nothing unrecorded");
        full.then(|| assert_eq!(refused(&output), "AUDIT_UNAVAILABLE"))
    });
    // Archived later, or in a gap: which of them depends on how soon there is room again.
    let message = mllp(&format!("MSH|^~\\&|MON|{}\r", "x".repeat(3_000)));
    send_messages(monitor, &vec![message.clone(); 300]);

    std::fs::remove_file(filler).unwrap();
    wait_for("a key to be made again", || {
        let made = stack.ward(&["key", "create", "after"]);
        made.status.success().then_some(())
    });
    assert_eq!(nodes(), before, "no node ended for want of room");
    let sealed = succeeded(&encrypt, stack.ward_with(&encrypt, b"x"));
    let decrypt = ["decrypt"];
    assert_eq!(
        succeeded(&decrypt, stack.ward_with(&decrypt, &sealed)),
        b"x"
    );
    send_messages(monitor, &vec![message.clone(); 10]);
    let sent = 310 * message.len() as u64;
    wait_for("all bytes in objects or in gaps", || {
        let (kept, lost) = (kept(&stack), lost(&stack));
        (kept + lost == sent).then(|| assert!(kept >= 10 * message.len() as u64))
    });
    stack.stop();
    stack.start();
    stack.json(&["archive", "verify"]);
    wait_for("sound logs", || {
        let verified = stack.ward(&["audit", "verify"]);
        verified.status.success().then_some(())
    });
    assert_eq!(
        stack.reason(&["key", "describe", "meanwhile"]),
        "KEY_NOT_FOUND"
    );
    stack.stop();
    drop(disk);
    assert!(is_empty(&stack.dir()), "everything was on the small disk");
}

/// Bytes to the service that are in objects.
fn kept(stack: &Stack) -> u64 {
    let objects = listed(stack).into_iter();
    let mine = objects.filter(|object| object["direction"] == "to-service");
    mine.map(|object| object["bytes"].as_u64().unwrap()).sum()
}

/// Bytes to the service that are in recorded gaps.
fn lost(stack: &Stack) -> u64 {
    let verb = ["--output", "json", "archive", "gaps"];
    let told = String::from_utf8(succeeded(&verb, stack.ward(&verb))).unwrap();
    let gaps = told.lines().map(|line| serde_json::from_str(line).unwrap());
    let bytes = |gap: Value| {
        let range = &gap["to_service"];
        let ends = range["to"].as_u64().zip(range["from"].as_u64());
        ends.map_or(0, |(to, from)| to - from)
    };
    gaps.map(bytes).sum()
}

fn is_empty(dir: &Path) -> bool {
    std::fs::read_dir(dir).unwrap().next().is_none()
}
