//! SIGKILL of leader, edge and core in turn under load, then of everything at once.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use kms_client::Client;

use super::kept::{self, Answered, Kept};
use crate::peer::{self, AckServer};
use crate::stack::{Plan, Stack};
use crate::wait;

/// What a client saw around one kill.
pub struct Cut {
    /// What was killed.
    pub victim: String,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// From the kill to the next answered message.
    pub next_message: Duration,
    /// From the kill to the next created key.
    pub next_key: Duration,
    /// Exchanges that failed meanwhile.
    pub failed_messages: usize,
    /// Key creations that failed meanwhile.
    pub failed_keys: usize,
}

/// What was seen.
pub struct Report {
    /// One a kill.
    pub cuts: Vec<Cut>,
    /// Keys whose creation was answered.
    pub acknowledged: usize,
    /// Of those, how many are missing at the end.
    pub missing: usize,
    /// Messages answered before everything was killed.
    pub answered: usize,
    /// What the archive has of them after the last restart.
    pub kept: Kept,
    /// From `up` after the power cut to the first answered message.
    pub power_cut: Duration,
}

/// Runs `rounds` of kills, then one power cut.
///
/// # Panics
/// When the stack does not recover.
pub fn run(ward: &Path, dir: &Path, rounds: usize) -> Report {
    let server = AckServer::start();
    let mut plan = Plan::new(ward, dir.join("data"));
    let device = plan.route("mon-1", "hl7", server.address);
    let stack = plan.start();
    let load = Load::start(stack.dir(), device);
    load.settle();
    let mut cuts = Vec::new();
    for _ in 0..rounds {
        for role in ["leader", "edge", "core"] {
            cuts.push(cut(&stack, &load, role));
        }
    }
    // What an answer after the kill promises is for the next run; the archive is asked for these.
    let answered = load.answered();
    let mut kills_ms: Vec<_> = core_cuts(&cuts).map(|cut| cut.at_ms).collect();
    kills_ms.push(sys::clock::wall_ms());
    let plan = stack.power_off();
    let begun = sys::clock::monotonic();
    let stack = plan.start();
    load.progress_since(begun, &load.messages);
    let power_cut = begun.elapsed();
    let acknowledged = load.stop();
    let kept = kept::look(stack.dir(), &answered, &kills_ms);
    let listed = stack.json(&["key", "list"]);
    let names: BTreeSet<&str> = listed
        .as_array()
        .expect("an array")
        .iter()
        .filter_map(|key| key["name"].as_str())
        .collect();
    let missing = acknowledged
        .iter()
        .filter(|name| !names.contains(name.as_str()))
        .count();
    stack.stop();
    Report {
        cuts,
        acknowledged: acknowledged.len(),
        missing,
        answered: answered.len(),
        kept,
        power_cut,
    }
}

/// Only the core's death can cost the archive something.
fn core_cuts(cuts: &[Cut]) -> impl Iterator<Item = &Cut> {
    cuts.iter().filter(|cut| cut.victim == "core")
}

fn cut(stack: &Stack, load: &Load, role: &str) -> Cut {
    let victim = if role == "leader" {
        stack.leader()
    } else {
        role.to_owned()
    };
    let old = stack.pid(&victim);
    let failed = (load.messages.failed(), load.keys.failed());
    let (at, at_ms) = (sys::clock::monotonic(), sys::clock::wall_ms());
    stack.kill(&victim);
    let next_message = load.progress_since(at, &load.messages);
    let next_key = load.progress_since(at, &load.keys);
    wait::until("the victim is started again", || {
        (stack.pid(&victim) != old).then_some(())
    });
    load.settle();
    Cut {
        victim,
        at_ms,
        next_message,
        next_key,
        failed_messages: load.messages.failed() - failed.0,
        failed_keys: load.keys.failed() - failed.1,
    }
}

/// A stream of flows and of key creations, each by a thread of its own.
struct Load {
    messages: Arc<Track>,
    keys: Arc<Track>,
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

/// What one kind of work has done so far.
#[derive(Default)]
struct Track {
    state: Mutex<TrackState>,
}

#[derive(Default)]
struct TrackState {
    done: Vec<Answered>,
    last_begun: Option<Instant>,
    failed: usize,
}

impl Track {
    fn note(&self, begun: Instant, from_ms: u64, result: Result<String, String>) {
        let mut state = self.state.lock().expect("no thread panicked");
        match result {
            Ok(id) => {
                let to_ms = sys::clock::wall_ms();
                state.done.push(Answered { id, from_ms, to_ms });
                state.last_begun = Some(begun);
            }
            Err(_) => state.failed += 1,
        }
    }

    fn failed(&self) -> usize {
        self.state.lock().expect("no thread panicked").failed
    }

    fn done(&self) -> Vec<Answered> {
        self.state.lock().expect("no thread panicked").done.clone()
    }

    fn succeeded_after(&self, at: Instant) -> bool {
        self.state
            .lock()
            .expect("no thread panicked")
            .last_begun
            .is_some_and(|begun| begun >= at)
    }
}

impl Load {
    fn start(dir: &Path, device: std::net::SocketAddr) -> Self {
        let messages = Arc::new(Track::default());
        let keys = Arc::new(Track::default());
        let stop = Arc::new(AtomicBool::new(false));
        let sender = repeat(stop.clone(), messages.clone(), move |number| {
            let id = format!("M{number}");
            let answer = peer::exchange(device, &peer::message(&id, "DOE^JANE"));
            answer.map(|_| id).map_err(|error| error.to_string())
        });
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let client = {
            let _inside = runtime.enter();
            Client::open(dir).expect("the operator's identity")
        };
        let creator = repeat(stop.clone(), keys.clone(), move |number| {
            let name = format!("load/{number}");
            let made = runtime.block_on(client.create_key(&name));
            made.map(|_| name).map_err(|error| error.to_string())
        });
        Self {
            messages,
            keys,
            stop,
            threads: vec![sender, creator],
        }
    }

    /// Waits until work begun after `at` succeeded.
    fn progress_since(&self, at: Instant, track: &Track) -> Duration {
        wait::until("work goes on", || track.succeeded_after(at).then_some(()));
        at.elapsed()
    }

    /// Waits until both kinds of work succeed again.
    fn settle(&self) {
        let now = sys::clock::monotonic();
        self.progress_since(now, &self.messages);
        self.progress_since(now, &self.keys);
    }

    /// The messages answered so far.
    fn answered(&self) -> Vec<Answered> {
        self.messages.done()
    }

    /// Ends it; answers the keys that were made.
    fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("the load does not panic");
        }
        self.keys.done().into_iter().map(|key| key.id).collect()
    }
}

fn repeat(
    stop: Arc<AtomicBool>,
    track: Arc<Track>,
    mut work: impl FnMut(usize) -> Result<String, String> + Send + 'static,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for number in 0.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            let (begun, from_ms) = (sys::clock::monotonic(), sys::clock::wall_ms());
            track.note(begun, from_ms, work(number));
        }
    })
}
