//! Keys that the cluster rotates by period, under clocks that are moved, and one that is wrong.

use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use crate::harness::{Stack, files_below, wait_for};
use crate::wall_clock::{Offset, WallClock};

const HOUR: Duration = Duration::from_secs(60 * 60);

fn leader(stack: &Stack) -> Option<u64> {
    let status = stack.ward(&["--output", "json", "cluster", "status"]);
    let status: Value = serde_json::from_slice(&status.stdout).ok()?;
    status["leader"].as_u64()
}

fn primary(stack: &Stack, key: &str) -> u64 {
    let described = stack.json(&["key", "describe", key]);
    described["primary_version"].as_u64().unwrap()
}

fn wait_for_version(stack: &Stack, key: &str, version: u64) {
    wait_for(key, || {
        let described = stack.ward(&["--output", "json", "key", "describe", key]);
        let described: Value = serde_json::from_slice(&described.stdout).ok()?;
        (described["primary_version"] == version).then_some(())
    });
}

/// A key that is due once it is enabled: what the leader rotates after that, it has looked for.
fn wait_for_a_look(stack: &Stack, key: &str) {
    let before = primary(stack, key);
    stack.json(&["key", "enable", key]);
    wait_for_version(stack, key, before + 1);
}

/// How many rotations by period stand in the audit logs.
fn recorded(stack: &Stack) -> usize {
    let logs = files_below(&stack.dir()).into_iter().filter(|file| {
        let extension = file.extension();
        extension.is_some_and(|it| it == "jsonl")
    });
    let lines = logs.map(|log| std::fs::read_to_string(log).unwrap());
    let count = |text: String| text.lines().filter(|it| it.contains("by=period")).count();
    lines.map(count).sum()
}

#[test]
fn keys_are_rotated_once_a_period_also_when_the_leader_goes_in_the_middle() {
    let Some(clock) = WallClock::find() else {
        return;
    };
    let mut stack = Stack::new(&["--nodes", "3"]);
    stack.keep_time_by(clock);
    stack.start();
    let names: Vec<_> = (1..=5).map(|n| format!("k{n}")).collect();
    for name in &names {
        let made = stack.json(&["key", "create", name, "--rotate-every", "1h"]);
        assert_eq!(made["rotation"]["every_s"], 3_600);
        assert_eq!(made["rotation"]["last"], Value::Null);
        assert_eq!(made["rotation"]["overdue"], false);
    }
    for name in ["off-1", "off-2"] {
        stack.json(&[
            "key",
            "create",
            name,
            "--type",
            "ed25519",
            "--rotate-every",
            "1h",
        ]);
        stack.json(&["key", "disable", name]);
    }
    stack.json(&["key", "create", "slow", "--rotate-every", "90d"]);
    stack.json(&["key", "create", "never", "--rotate-every", "1h"]);
    let never = stack.json(&["key", "set-rotation", "never", "--never"]);
    assert_eq!(never["rotation"], Value::Null);

    stack.clock().set(Offset::Ahead(2 * HOUR));
    for name in &names {
        wait_for_version(&stack, name, 2);
    }
    wait_for_a_look(&stack, "off-1");
    let text = stack.ward(&["key", "describe", "k1"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("rotation         every 1h, next "), "{text}");
    assert!(!text.contains("last never"), "{text}");
    let off = stack.ward(&["key", "describe", "off-2"]);
    let off = String::from_utf8(off.stdout).unwrap();
    assert!(off.contains("waits until the key is enabled"), "{off}");
    assert_eq!(recorded(&stack), 6);

    // The next period, and nobody leads when it comes.
    let former = leader(&stack).unwrap();
    stack.clock().set(Offset::Ahead(4 * HOUR));
    wait_for("the first one", || {
        let rotated = |name: &String| primary(&stack, name) == 3;
        names.iter().any(rotated).then_some(())
    });
    let pid = stack.pid(&format!("node-{former}")).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    for name in &names {
        wait_for_version(&stack, name, 3);
    }
    wait_for_a_look(&stack, "off-2");
    for name in &names {
        assert_eq!(primary(&stack, name), 3, "{name}");
    }
    for (name, versions) in [("off-1", 3), ("off-2", 2), ("slow", 1), ("never", 1)] {
        assert_eq!(primary(&stack, name), versions, "{name}");
    }
}

#[test]
fn one_clock_that_is_wrong_rotates_nothing_before_its_time() {
    let Some(clock) = WallClock::find() else {
        return;
    };
    let mut stack = Stack::new(&["--nodes", "3"]);
    stack.keep_time_by(clock.fixed_at_start());
    stack.start();
    for name in ["due-1", "due-2"] {
        stack.json(&["key", "create", name, "--rotate-every", "1h"]);
        stack.json(&["key", "disable", name]);
    }
    stack.json(&["key", "create", "not-due", "--rotate-every", "6h"]);
    // Two nodes know the time; the third is as far ahead as nobody hands over for.
    for (name, hours) in [("node-1", 2), ("node-2", 2), ("node-3", 7)] {
        let log = stack.dir().join(format!("log/{name}.log"));
        let starts = || {
            let said = std::fs::read_to_string(&log).unwrap();
            said.matches("the node is ready").count()
        };
        let before = starts();
        stack.clock().set(Offset::Ahead(hours * HOUR));
        kill_process(stack.pid(name).unwrap(), Signal::KILL).unwrap();
        // It has read its clock by then.
        wait_for(name, || (starts() > before).then_some(()));
    }
    wait_for("the node that is ahead to lead", || {
        let moved = stack.ward(&["cluster", "transfer", "--to", "3"]);
        (moved.status.success() && leader(&stack) == Some(3)).then_some(())
    });
    wait_for_a_look(&stack, "due-1");
    wait_for_a_look(&stack, "due-2");
    assert_eq!(leader(&stack), Some(3));
    assert_eq!(primary(&stack, "not-due"), 1);
    // What was rotated is dated by the time that most know: before anything that is made now.
    stack.json(&["key", "create", "made-now", "--rotate-every", "1h"]);
    let next = |key: &str| {
        let described = stack.json(&["key", "describe", key]);
        described["rotation"]["next"].as_str().unwrap().to_owned()
    };
    let ahead = next("made-now");
    for key in ["due-1", "due-2"] {
        assert!(next(key) < ahead, "{key} {} {ahead}", next(key));
    }
}
