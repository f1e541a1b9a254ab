//! Many keys: how fast they are made, what they take, and how long a node takes to be whole again
//! after a stop, without its applied state, and without its disk.

mod check;
mod fill;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use kms_client::Client;
use rustix::process::Pid;

use crate::bench::usage;
use crate::stack::{Plan, Stack};

pub use check::Sample;

/// Longer than a node may take to become whole.
const PATIENCE: Duration = Duration::from_secs(1_800);

const NODES: u64 = 3;

/// What was seen.
pub struct Report {
    /// Keys made.
    pub keys: usize,
    /// How long that took.
    pub filling: Duration,
    /// Calls that were made again, for want of a leader or of time.
    pub repeated: usize,
    /// Bytes that each node had resident before the first key.
    pub empty: Vec<u64>,
    /// After each start, and after the last key.
    pub stages: Vec<Stage>,
    /// Bytes on the disk of a node: log, applied state, snapshots, audit log.
    pub disk: Vec<(&'static str, u64)>,
    /// The snapshot that the node without a disk was given; `None` when the log was enough.
    pub snapshot_bytes: Option<u64>,
}

/// The cluster at one time.
pub struct Stage {
    /// What had happened.
    pub what: &'static str,
    /// From the start of `ward up` to its word that it is up.
    pub ready: Duration,
    /// From there until every node is a voter and has every key.
    pub whole: Duration,
    /// Bytes that each node has resident.
    pub resident: Vec<u64>,
    /// How many keys each node lists.
    pub counted: Vec<usize>,
    /// Samples, and how many were opened, through each node.
    pub opened: (usize, usize),
}

/// Runs it with `keys` keys; `told` hears how far it is.
///
/// # Panics
/// When the stack does not come up, or a key is not acknowledged.
pub fn run(ward: &Path, dir: &Path, keys: usize, told: &mut dyn FnMut(&str)) -> Report {
    let plan = Plan::new(ward, dir.join("data")).patience(PATIENCE);
    let stack = plan.start();
    let empty = resident(&stack);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let client = Client::open(stack.dir()).expect("the operator's identity");
    let start = sys::clock::monotonic();
    let (samples, repeated) = runtime.block_on(fill::fill(&client, keys, told));
    let filling = start.elapsed();
    drop(client);

    let mut story = Story {
        stages: Vec::new(),
        keys,
        samples,
        told,
    };
    story.stage("the last key was made", &stack, Duration::ZERO);
    let disk = disk_of(&stack.dir().join("node-1"));
    let mut plan = stack.stop();
    let state = |node: u64| format!("node-{node}/state");
    let all: Vec<String> = (1..=NODES).map(state).collect();
    for (what, lost) in [
        ("an orderly stop", &[][..]),
        ("one node without its state", &all[..1]),
        ("all nodes without their state", &all[..]),
        ("one node without its disk", &["node-2".to_owned()]),
    ] {
        for folder in lost {
            fs::remove_dir_all(plan.dir.join(folder)).expect("it was there");
        }
        let start = sys::clock::monotonic();
        let stack = plan.start();
        story.stage(what, &stack, start.elapsed());
        plan = stack.stop();
    }
    Report {
        keys,
        filling,
        repeated,
        empty,
        stages: story.stages,
        disk,
        snapshot_bytes: Some(size(&plan.dir.join("node-2/snapshots"))).filter(|size| *size > 0),
    }
}

/// What is told of stage after stage.
struct Story<'a> {
    stages: Vec<Stage>,
    keys: usize,
    samples: Vec<Sample>,
    told: &'a mut dyn FnMut(&str),
}

impl Story<'_> {
    fn stage(&mut self, what: &'static str, stack: &Stack, ready: Duration) {
        let start: Instant = sys::clock::monotonic();
        let nodes = check::until_whole(stack, self.keys, PATIENCE);
        let whole = start.elapsed();
        let (counted, opened) = check::all(stack, &nodes, &self.samples);
        let stage = Stage {
            what,
            ready,
            whole,
            resident: resident(stack),
            counted,
            opened,
        };
        (self.told)(&format!(
            "{what}: ready after {:.1} s, whole {:.1} s later",
            ready.as_secs_f64(),
            whole.as_secs_f64()
        ));
        self.stages.push(stage);
    }
}

fn resident(stack: &Stack) -> Vec<u64> {
    let pids = (1..=NODES).map(|node| stack.pid(&format!("node-{node}")));
    let bytes = |pid: Pid| usage::resident_bytes(pid).unwrap_or_default();
    pids.map(bytes).collect()
}

fn disk_of(node: &Path) -> Vec<(&'static str, u64)> {
    ["log", "state", "snapshots", "audit"]
        .map(|folder| (folder, size(&node.join(folder))))
        .to_vec()
}

/// The bytes of all files below a folder.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = |entry: fs::DirEntry| match entry.path().is_dir() {
        true => size(&entry.path()),
        false => entry.metadata().map_or(0, |facts| facts.len()),
    };
    entries.map(bytes).sum()
}
