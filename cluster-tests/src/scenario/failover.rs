//! How long writes are not answered when the leader is killed, paused, or no longer heard.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kms_client::Client;
use sys::task::{AbortOnDrop, spawn_on};
use tokio::runtime::Runtime;

use super::keys;
use crate::cluster::{Cluster, Equipment, Plan};
use crate::wait;

/// What is done to the leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// SIGKILL.
    Kill,
    /// SIGSTOP.
    Pause,
    /// Nothing that it sends reaches other nodes; what they send reaches it.
    Mute,
}

impl Loss {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Kill, Self::Pause, Self::Mute];
}

/// How much is done.
#[derive(Clone, Copy)]
pub struct Size {
    /// Rounds of each loss.
    pub rounds: usize,
    /// Keys that there are before.
    pub keys: usize,
}

/// What was seen.
pub struct Report {
    /// Keys that there were before.
    pub keys: usize,
    /// For each loss, how long it took from it to the answer of the first write that began after
    /// it, shortest first.
    pub gaps: Vec<(Loss, Vec<Duration>)>,
    /// Writes that were answered.
    pub written: usize,
    /// Of these, keys that are missing afterwards.
    pub missing: usize,
}

/// Runs it below `dir`. `None` where ways between nodes cannot be cut, which is skipped by name.
///
/// # Panics
/// When the cluster does not recover.
pub fn run(ward: &Path, dir: &Path, size: Size, told: &mut dyn FnMut(&str)) -> Option<Report> {
    let runtime = Runtime::new().expect("a runtime");
    let plan = Plan {
        ward: ward.to_owned(),
        root: dir.to_owned(),
        nodes: 3,
        equipment: Equipment {
            network: true,
            ..Equipment::default()
        },
    };
    let mut cluster = Cluster::start(runtime.handle(), &plan)?;
    let client = cluster.client_as(&cluster.tool.operator, None, DEADLINE);
    runtime.block_on(keys::fill(&client, size.keys, told));
    let writes = Writes::start(&runtime, &client);
    let mut gaps = Vec::new();
    for loss in Loss::ALL {
        let mut seen = Vec::new();
        for round in 1..=size.rounds {
            seen.push(once(&mut cluster, &writes, loss));
            if round.is_multiple_of(ROUNDS_TOLD) {
                told(&format!("{loss:?}: {round} of {}", size.rounds));
            }
        }
        seen.sort();
        gaps.push((loss, seen));
    }
    let written = writes.stop();
    let missing = runtime.block_on(missing(&client, &written));
    cluster.stop();
    Some(Report {
        keys: size.keys,
        gaps,
        written: written.len(),
        missing,
    })
}

/// One loss, from there to the next answer, and back to three voters.
fn once(cluster: &mut Cluster, writes: &Writes, loss: Loss) -> Duration {
    writes.wait_answered_since(sys::clock::monotonic());
    let leader = cluster.leader();
    let others: Vec<usize> = cluster.numbers().filter(|node| *node != leader).collect();
    let begun = sys::clock::monotonic();
    match loss {
        Loss::Kill => cluster.kill(leader),
        Loss::Pause => cluster.pause(leader),
        Loss::Mute => cluster.partition(&[leader], &others, false),
    }
    let gap = writes.wait_answered_since(begun).duration_since(begun);
    match loss {
        Loss::Kill => cluster.restart(leader),
        Loss::Pause => cluster.resume(leader),
        Loss::Mute => cluster.heal(),
    }
    cluster.wait_all_vote();
    gap
}

/// The client that wrote: it is told nothing older than what it was answered.
async fn missing(client: &Client, written: &[String]) -> usize {
    let listed = client.list_keys(PREFIX).await.expect("an operator may");
    let there: std::collections::BTreeSet<String> =
        listed.into_iter().map(|key| key.name).collect();
    let names = written.iter();
    names.filter(|name| !there.contains(*name)).count()
}

/// Clients that write all the time, each with one call under way, wherever the leader is.
struct Writes {
    state: Arc<State>,
    clients: Vec<AbortOnDrop<()>>,
}

#[derive(Default)]
struct State {
    next: AtomicU64,
    /// What was answered: when it had begun, when it ended, the key.
    answered: Mutex<Vec<(Instant, Instant, String)>>,
}

impl Writes {
    fn start(runtime: &Runtime, client: &Client) -> Self {
        let state = Arc::new(State::default());
        let clients = (0..CLIENTS).map(|_| {
            let writing = write(client.clone(), Arc::clone(&state));
            AbortOnDrop(spawn_on(runtime.handle(), "writer", writing))
        });
        let clients = clients.collect();
        Self { state, clients }
    }

    /// Waits for the answer of a call that began after `from`; tells when it came.
    fn wait_answered_since(&self, from: Instant) -> Instant {
        wait::until("a write is answered", || {
            let answered = self.state.answered.lock().expect("no task panicked");
            // The newest are last.
            let newer = answered
                .iter()
                .rev()
                .take_while(|(_, ended, _)| *ended > from);
            let begun_after = newer.filter(|(begun, ..)| *begun > from);
            begun_after.map(|(_, ended, _)| *ended).min()
        })
    }

    fn stop(self) -> Vec<String> {
        drop(self.clients);
        let answered = self.state.answered.lock().expect("no task panicked");
        answered.iter().map(|(.., name)| name.clone()).collect()
    }
}

async fn write(client: Client, state: Arc<State>) {
    loop {
        let name = format!("{PREFIX}{}", state.next.fetch_add(1, Ordering::Relaxed));
        let begun = sys::clock::monotonic();
        // Whatever is not answered in time may be written all the same.
        if client.create_key(name.as_str()).await.is_ok() {
            let ended = sys::clock::monotonic();
            let mut answered = state.answered.lock().expect("no task panicked");
            answered.push((begun, ended, name));
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} keys; from the loss of the leader to the next answered write, ms",
            self.keys
        )?;
        writeln!(
            f,
            "{:<8} {:>6} {:>7} {:>7} {:>7}",
            "", "rounds", "p50", "p99", "max"
        )?;
        for (loss, gaps) in &self.gaps {
            let at = |percent: usize| {
                let rank = (gaps.len() * percent).div_ceil(100).max(1);
                gaps.get(rank - 1).map_or(0, Duration::as_millis)
            };
            writeln!(
                f,
                "{:<8} {:>6} {:>7} {:>7} {:>7}",
                format!("{loss:?}"),
                gaps.len(),
                at(50),
                at(99),
                at(100)
            )?;
        }
        write!(
            f,
            "{} writes answered, {} of them missing afterwards",
            self.written, self.missing
        )
    }
}

const CLIENTS: usize = 4;
const PREFIX: &str = "failover/";
const ROUNDS_TOLD: usize = 10;
const DEADLINE: Duration = Duration::from_secs(10);
