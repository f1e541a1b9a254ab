//! Histories: clients on all nodes while harm is done to the cluster, every call taken down, and
//! all checkers over it.
//!
//! What is asked and what is harmed comes from one seed. Real processes do not repeat to the
//! instruction; a violation leaves the calls, the findings and what the nodes said.

mod asking;
mod client;
mod gateway;
mod ground;
mod harm;
mod last_look;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sys::task::{AbortOnDrop, spawn_on};
use tokio::runtime::Runtime;

pub use self::harm::Harm;
pub use self::report::{Report, Total};

use self::client::{Door, Worker};
use self::gateway::Lessee;
use self::ground::Ground;
use self::harm::Harmer;
use self::last_look::LastLook;
use crate::cluster::{Cluster, Equipment, Plan};
use crate::history::audit::Logs;
use crate::history::check::{Evidence, Verdict, check};
use crate::history::record::{self, Answer, Call, Recorder};
use crate::tool::text;
use crate::wait;

/// How large a history is, and what is done meanwhile.
#[derive(Clone, Debug)]
pub struct Size {
    /// Of everything that is left to chance.
    pub seed: u64,
    /// Nodes.
    pub nodes: usize,
    /// Calls at least.
    pub calls: usize,
    /// The kinds of harm.
    pub harms: Vec<Harm>,
}

/// Runs one history below `root`, and leaves it in `keep` if something is wrong. `None` where the
/// harm cannot be done here, which is skipped by name.
///
/// # Panics
/// When the cluster does not come up at first.
pub fn run(ward: &Path, root: &Path, keep: &Path, size: &Size) -> Option<Report> {
    let begun = sys::clock::monotonic();
    let runtime = Runtime::new().expect("a runtime");
    let mut cluster = Cluster::start(runtime.handle(), &plan(ward, root, size))?;
    let recorder = Arc::new(Recorder::default());
    let load = Load::start(&runtime, &cluster, &recorder, size);
    let ground = Arc::clone(&load.ground);
    let mut harmer = Harmer::new(size);
    let mut recovers = true;
    while recovers && recorder.count() < size.calls {
        harmer.round(&mut cluster);
        // Each harm ends with a cluster that serves.
        recovers = wait_served(&mut harmer, &mut cluster, &recorder);
    }
    load.stop(&runtime);
    let look = recovers.then(|| LastLook::take(&runtime, &cluster, &recorder, &ground));
    let calls = recorder.calls();
    let mut verdict = check(&Evidence {
        calls: &calls,
        last: look.as_ref().map_or(&[], |look| &look.keys),
        logs: &read_logs(&cluster),
        disks_were_full: size.harms.contains(&Harm::DiskFull),
    });
    add_ends(&mut verdict, &mut harmer, &mut cluster, look.as_ref());
    if !verdict.violations.is_empty() {
        leave(root, &keep.join(size.seed.to_string()), &calls, &verdict);
    } else {
        cluster.stop();
    }
    Some(Report {
        calls: counts(&calls),
        harm: harmer.done,
        crashes: harmer.crashes,
        verdict,
        time: begun.elapsed(),
    })
}

/// Adds what is wrong beside the answers: nodes that ended or panicked, a cluster that does not
/// recover.
fn add_ends(
    verdict: &mut Verdict,
    harmer: &mut Harmer,
    cluster: &mut Cluster,
    look: Option<&LastLook>,
) {
    match look {
        None => verdict.found("recovery", &"the cluster does not serve again"),
        Some(look) => {
            let unanswered = look.unanswered.iter();
            unanswered.for_each(|it| verdict.found("recovery", it));
        }
    }
    harmer.start_missing(cluster);
    let ended = harmer.ended.iter();
    ended.for_each(|it| verdict.found("process", it));
    for node in cluster.numbers() {
        let said = cluster.said(node);
        let panics = said.lines().filter(|line| line.contains("panicked at"));
        panics.for_each(|line| verdict.found("process", &line));
    }
}

fn read_logs(cluster: &Cluster) -> Logs {
    let mut logs = Logs::default();
    for node in cluster.numbers() {
        logs.read(cluster.home(node));
    }
    logs
}

fn plan(ward: &Path, root: &Path, size: &Size) -> Plan {
    let needs = |kinds: &[Harm]| kinds.iter().any(|kind| size.harms.contains(kind));
    Plan {
        ward: ward.to_owned(),
        root: root.to_owned(),
        nodes: size.nodes,
        equipment: Equipment {
            relays: false,
            network: needs(&Harm::WAYS),
            disk_bytes: needs(&Harm::DISKS).then_some(DISK_BYTES),
            clocks: needs(&Harm::CLOCKS),
            snapshot_entries: Some(SNAPSHOT_ENTRIES),
        },
    }
}

/// The clients, and the gateway.
struct Load {
    stop: Arc<AtomicBool>,
    ground: Arc<Ground>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    _acknowledging: AbortOnDrop<()>,
}

impl Load {
    fn start(runtime: &Runtime, cluster: &Cluster, recorder: &Arc<Recorder>, size: &Size) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ground = Arc::new(Ground::default());
        let mut tasks = Vec::new();
        for number in 0..CLIENTS {
            let own = number % size.nodes + 1;
            let mut nodes: Vec<usize> = cluster.numbers().collect();
            nodes.sort_by_key(|node| *node != own);
            let doors = nodes.into_iter().map(|node| Door {
                node,
                client: cluster.client(node, DEADLINE),
            });
            let worker = Worker {
                number,
                doors: doors.collect(),
                random: fastrand::Rng::with_seed(size.seed ^ (1 << 32) ^ number as u64),
                recorder: Arc::clone(recorder),
                ground: Arc::clone(&ground),
                stop: Arc::clone(&stop),
            };
            tasks.push(spawn_on(runtime.handle(), "client", worker.run()));
        }
        let identity = enroll_gateway(cluster);
        for node in cluster.numbers() {
            let lessee = Lessee {
                number: CLIENTS + 1 + node,
                node,
                client: cluster.client_as(&identity, Some(node), DEADLINE),
                recorder: Arc::clone(recorder),
                stop: Arc::clone(&stop),
            };
            tasks.push(spawn_on(runtime.handle(), "lessee", lessee.run()));
        }
        let client = cluster.client_as(&identity, None, DEADLINE);
        let number = CLIENTS + 1;
        let acknowledging = gateway::acknowledge(client, number, Arc::clone(recorder));
        Self {
            stop,
            ground,
            tasks,
            _acknowledging: AbortOnDrop(spawn_on(runtime.handle(), "gateway", acknowledging)),
        }
    }

    fn stop(self, runtime: &Runtime) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            runtime.block_on(task).expect("no client panics");
        }
    }
}

fn enroll_gateway(cluster: &Cluster) -> PathBuf {
    let folder = cluster.root().join("gateway");
    cluster.tool.enroll(
        &["--role", "edge", "--id", "edge-1"],
        &["--role", "edge", "--out", &text(&folder)],
    );
    folder
}

/// Waits until every node has answered a client again; answers whether that came.
fn wait_served(harmer: &mut Harmer, cluster: &mut Cluster, recorder: &Recorder) -> bool {
    let from = recorder.now();
    let served = wait::within(wait::DEADLINE, || {
        harmer.start_missing(cluster);
        let served = recorder.nodes_served_since(from);
        cluster
            .numbers()
            .all(|node| served.contains(&node))
            .then_some(())
    });
    served.is_some()
}

/// Leaves what somebody needs to understand what went wrong.
fn leave(root: &Path, keep: &Path, calls: &[Call], verdict: &Verdict) {
    fs::create_dir_all(keep).expect("a folder");
    record::write(calls, &keep.join("history.jsonl")).expect("a file");
    let found = verdict.violations.iter();
    let lines = found.map(|(checker, what)| format!("{checker}: {what}\n"));
    let text: String = lines.collect();
    fs::write(keep.join("violations.txt"), text).expect("a file");
    for entry in fs::read_dir(root).expect("a folder").flatten() {
        if entry.path().extension().is_some_and(|it| it == "log") {
            fs::copy(entry.path(), keep.join(entry.file_name())).expect("a file");
        }
    }
}

fn counts(calls: &[Call]) -> [usize; 3] {
    let mut counts = [0; 3];
    for call in calls {
        let place = match call.answer {
            Answer::Done(_) => 0,
            Answer::Refused(_) => 1,
            Answer::Unknown(_) => 2,
        };
        counts[place] += 1;
    }
    counts
}

/// Clients, over all nodes.
const CLIENTS: usize = 8;
/// How long a client waits for one call.
const DEADLINE: Duration = Duration::from_secs(2);
/// So few that a history has several.
const SNAPSHOT_ENTRIES: u64 = 60;
const DISK_BYTES: u64 = 512 << 20;
