//! Histories: clients on all nodes while harm is done to the cluster, every call taken down, and
//! all checkers over it.
//!
//! What is asked and what is harmed comes from one seed. Real processes do not repeat to the
//! instruction; a violation leaves its history and the logs behind.

mod client;
mod gateway;
mod ground;
mod harm;
mod report;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kms_client::Client;
use sys::task::{AbortOnDrop, spawn_on};
use tokio::runtime::Runtime;

pub use self::harm::Harm;
pub use self::report::{Report, Total};

use self::client::{Worker, use_of};
use self::gateway::Lessee;
use self::ground::Ground;
use self::harm::Harmer;
use crate::cluster::{Cluster, Equipment, Plan};
use crate::history::audit::Logs;
use crate::history::check::{Evidence, check};
use crate::history::durability::Last;
use crate::history::record::{self, Answer, Call, Recorder, Subject};
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
/// When the cluster does not recover.
pub fn run(ward: &Path, root: &Path, keep: &Path, size: &Size) -> Option<Report> {
    let begun = sys::clock::monotonic();
    let runtime = Runtime::new().expect("a runtime");
    let mut cluster = Cluster::start(runtime.handle(), &plan(ward, root, size))?;
    let recorder = Arc::new(Recorder::default());
    let remains = Remains {
        root,
        keep: keep.join(size.seed.to_string()),
        recorder: &recorder,
    };
    let load = Load::start(&runtime, &cluster, &recorder, size);
    let mut harmer = Harmer {
        random: fastrand::Rng::with_seed(size.seed),
        kinds: size.harms.clone(),
        done: BTreeMap::new(),
        crashes: BTreeMap::new(),
    };
    while recorder.count() < size.calls {
        if harmer.kinds.is_empty() {
            wait::until("the calls are made", || {
                (recorder.count() >= size.calls).then_some(())
            });
            break;
        }
        harmer.round(&mut cluster);
        // Each harm ends with a cluster that serves.
        wait_served(&mut cluster, &recorder);
    }
    cluster.wait_all_vote();
    load.stop(&runtime);
    let last = look_again(&runtime, &cluster, &recorder);
    let mut logs = Logs::default();
    for node in cluster.numbers() {
        logs.read(cluster.home(node));
    }
    let calls = recorder.calls();
    let verdict = check(&Evidence {
        calls: &calls,
        last: &last,
        logs: &logs,
        disks_were_full: size.harms.contains(&Harm::DiskFull),
    });
    if !verdict.violations.is_empty() {
        remains.leave(&verdict.violations);
    }
    cluster.stop();
    Some(Report {
        calls: counts(&calls),
        harm: harmer.done,
        crashes: harmer.crashes,
        verdict,
        time: begun.elapsed(),
    })
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
        },
    }
}

/// The clients, and the gateway.
struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    _acknowledging: AbortOnDrop<()>,
}

impl Load {
    fn start(runtime: &Runtime, cluster: &Cluster, recorder: &Arc<Recorder>, size: &Size) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ground = Arc::new(Ground::default());
        let mut tasks = Vec::new();
        for number in 0..CLIENTS {
            let node = number % size.nodes + 1;
            let worker = Worker {
                number,
                node,
                client: cluster.client(node, DEADLINE),
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
                number: CLIENTS + node,
                node,
                client: cluster.client_as(&identity, Some(node), DEADLINE),
                recorder: Arc::clone(recorder),
                stop: Arc::clone(&stop),
            };
            tasks.push(spawn_on(runtime.handle(), "lessee", lessee.run()));
        }
        let client = cluster.client_as(&identity, None, DEADLINE);
        let acknowledging = gateway::acknowledge(client);
        Self {
            stop,
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

/// Waits until every node has answered a client again; starts those that ended, as whoever
/// supervises them would.
fn wait_served(cluster: &mut Cluster, recorder: &Recorder) {
    let from = recorder.now();
    wait::until("every node serves again", || {
        harm::start_missing(cluster);
        let served = recorder.nodes_served_since(from);
        cluster
            .numbers()
            .all(|node| served.contains(&node))
            .then_some(())
    });
}

/// Uses every key through every node once more, and has each node list the keys.
fn look_again(runtime: &Runtime, cluster: &Cluster, recorder: &Arc<Recorder>) -> Vec<Last> {
    let ground = Arc::new(Ground::default());
    let mut last = Vec::new();
    for node in cluster.numbers() {
        let worker = Worker {
            number: CLIENTS + cluster.numbers().count() + node,
            node,
            client: cluster.client(node, PATIENCE),
            random: fastrand::Rng::with_seed(0),
            recorder: Arc::clone(recorder),
            ground: Arc::clone(&ground),
            stop: Arc::default(),
        };
        last.push(runtime.block_on(list(&worker.client, node)));
        let keys: Vec<usize> = last[0].keys().copied().collect();
        runtime.block_on(async {
            for key in keys {
                worker.ask(Subject::Key(key), use_of(key), None).await;
            }
        });
    }
    last
}

async fn list(client: &Client, node: usize) -> Last {
    // Whoever has written reads what is at least as new.
    let mark = format!("mark/{node}");
    client.create_key(&mark).await.expect("an operator may");
    let keys = client.list_keys("history/").await.expect("an operator may");
    let number = |name: &str| name.strip_prefix("history/")?.parse().ok();
    keys.iter()
        .filter_map(|key| Some((number(&key.name)?, key.primary_version.0)))
        .collect()
}

/// Where a history that went wrong leaves what somebody needs to understand it.
struct Remains<'a> {
    root: &'a Path,
    keep: PathBuf,
    recorder: &'a Recorder,
}

impl Remains<'_> {
    fn leave(&self, violations: &[(&str, String)]) {
        fs::create_dir_all(&self.keep).expect("a folder");
        let history = self.keep.join("history.jsonl");
        record::write(&self.recorder.calls(), &history).expect("a file");
        let lines = violations
            .iter()
            .map(|(checker, what)| format!("{checker}: {what}\n"));
        let text: String = lines.collect();
        fs::write(self.keep.join("violations.txt"), text).expect("a file");
        for entry in fs::read_dir(self.root).expect("a folder").flatten() {
            if entry.path().extension().is_some_and(|it| it == "log") {
                fs::copy(entry.path(), self.keep.join(entry.file_name())).expect("a file");
            }
        }
    }
}

impl Drop for Remains<'_> {
    fn drop(&mut self) {
        // The cluster did not recover, or something else was not to be expected.
        if std::thread::panicking() {
            self.leave(&[]);
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
/// How long it does when everything is mended.
const PATIENCE: Duration = Duration::from_secs(20);
const DISK_BYTES: u64 = 512 << 20;
