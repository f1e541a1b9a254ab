//! Many keys: how fast they are made, what they take, and how long a node takes to be whole again
//! after a stop, without its applied state, and without its disk.

mod check;
mod fill;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kms_client::Client;
use rustix::process::Pid;
use sys::log::FILTER;

use crate::bench::usage;
use crate::files;
use crate::sniff::contains;
use crate::stack::{Plan, Stack};

pub use check::Sample;
pub(crate) use fill::fill;

/// How much is done.
#[derive(Clone, Copy)]
pub struct Size {
    /// Keys to make.
    pub keys: usize,
    /// How long a start may take, and then a node to become whole.
    pub patience: Duration,
}

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
    /// The snapshot that the node without a disk was given, as its log says; `None` when Raft's log
    /// was enough.
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

/// Runs it; `told` hears how far it is.
///
/// # Panics
/// When the stack does not come up, or a key is not acknowledged.
pub fn run(ward: &Path, dir: &Path, size: Size, told: &mut dyn FnMut(&str)) -> Report {
    let Size { keys, patience } = size;
    let plan = Plan::new(ward, dir.join("data")).patience(patience);
    let plan = plan.log(&format!("{FILTER},{TELLS_SNAPSHOTS}"));
    let stack = plan.start();
    let empty = resident(&stack);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let client = Client::open(stack.dir()).expect("the operator's identity");
    let start = sys::clock::monotonic();
    let (samples, repeated) = runtime.block_on(fill(&client, keys, told));
    let filling = start.elapsed();
    drop(client);

    let mut story = Story {
        stages: Vec::new(),
        patience,
        samples,
        told,
    };
    story.stage("the last key was made", &stack, Duration::ZERO);
    let mut plan = stack.stop();
    let disk = disk_of(&plan.dir.join("node-1"));
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
        // What it says from now on is of this start.
        forget(&plan);
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
        snapshot_bytes: was_given_a_snapshot(&plan)
            .then(|| bytes_below(&plan.dir.join("node-2/snapshots"))),
    }
}

/// What is told of stage after stage.
struct Story<'a> {
    stages: Vec<Stage>,
    patience: Duration,
    samples: Vec<Sample>,
    told: &'a mut dyn FnMut(&str),
}

impl Story<'_> {
    fn stage(&mut self, what: &'static str, stack: &Stack, ready: Duration) {
        let start: Instant = sys::clock::monotonic();
        let nodes = check::until_whole(stack, self.patience);
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
    let bytes = |pid: Pid| usage::resident_bytes(pid).expect("a running process");
    pids.map(bytes).collect()
}

fn disk_of(node: &Path) -> Vec<(&'static str, u64)> {
    ["log", "state", "snapshots", "audit"]
        .map(|folder| (folder, bytes_below(&node.join(folder))))
        .to_vec()
}

/// The bytes of all files below a folder that nobody writes to.
fn bytes_below(folder: &Path) -> u64 {
    let bytes = |path: PathBuf| fs::metadata(path).expect("a file of ours").len();
    files::below(folder).into_iter().map(bytes).sum()
}

/// The log of the node that loses its disk, and what was set aside of it.
fn logs(plan: &Plan) -> impl Iterator<Item = PathBuf> {
    let log = plan.dir.join("log/node-2.log");
    let old = log.with_extension("log.old");
    [log, old].into_iter().filter(|path| path.exists())
}

fn forget(plan: &Plan) {
    for log in logs(plan) {
        fs::remove_file(log).expect("a file of ours");
    }
}

fn was_given_a_snapshot(plan: &Plan) -> bool {
    let read = |log| fs::read(log).expect("a log");
    let logs: Vec<Vec<u8>> = logs(plan).map(read).collect();
    let said = |words| logs.iter().any(|log| contains(log, words));
    assert!(said(STOPPED), "positive control: it says what it does");
    said(GIVEN)
}

/// Who says in a log that a snapshot came from another node.
const TELLS_SNAPSHOTS: &str = "openraft::core::sm::worker=info";
/// What it says when its node stops.
const STOPPED: &[u8] = b"state machine worker quit";
/// What it says when it has put up a snapshot of another node.
const GIVEN: &[u8] = b"Done install complete snapshot";
