//! `ward up`: the whole stack of one machine, from the data directory to Ctrl-C.
//!
//! `found` makes the cluster, `enlist` brings the others in, `supervise` keeps every process
//! (`child`) running by the `plan`, `board` knows who is ready, `stack` stops them in order.

mod backoff;
mod board;
mod child;
mod cluster_file;
mod doors;
mod enlist;
mod found;
mod layout;
mod leftovers;
mod patience;
mod plan;
mod ports;
mod ready_file;
mod settings;
mod stack;
mod start;
mod supervise;
mod talk;

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use kms_client::Client;
use sys::file::Lock;
use sys::task::AbortOnDrop;

use crate::cli::UpArguments;
use crate::error::{Failure, Reason};
use crate::output::say;
use crate::runtime;
pub(crate) use cluster_file::{ClusterFile, NodePorts};
use doors::{Door, Way};
pub(crate) use layout::LOCK_FILE;
use layout::{Layout, ProcessName};
use plan::{Plan, Wishes};
use ready_file::ReadyFile;
use stack::Stack;

/// Runs the stack of `dir` until SIGINT or SIGTERM.
pub(crate) fn run(dir: &Path, arguments: UpArguments) -> Result<(), Failure> {
    // Before anything is made: a wrong FILE or LISTEN leaves no trace.
    let ready_file = arguments.ready_file.map(ReadyFile::at).transpose()?;
    let doors = arguments
        .route
        .into_iter()
        .map(|it| Door::find(it, Way::ToService));
    let reverse = arguments.reverse_route.into_iter();
    let doors = doors.chain(reverse.map(|it| Door::find(it, Way::ToDevice)));
    let doors = doors.collect::<Result<Vec<_>, Failure>>()?;
    if !dir.join("cluster.toml").exists() {
        // Nor does a door that is taken, where no earlier run can be what holds it.
        doors::check(&doors)?;
    }
    let layout = Layout::create(dir)?;
    let _lock = lock(&layout)?;
    if let Some(earlier) = &ready_file {
        earlier.remove()?;
    }
    let cluster = found::load_or_plan(&layout, arguments.nodes)?;
    let wishes = Wishes {
        doors,
        archive: arguments.archive,
        core_address: arguments.core_address,
    };
    let plan = Plan::new(layout, cluster, wishes);
    runtime::block_on(serve(Arc::new(plan), ready_file, arguments.supervised))
}

async fn serve(
    plan: Arc<Plan>,
    ready_file: Option<ReadyFile>,
    supervised: bool,
) -> Result<(), Failure> {
    let stop = sys::shutdown::requested(supervised);
    tokio::pin!(stop);
    let mut stack = Stack::new(Arc::clone(&plan));
    let outcome = tokio::select! {
        started = bring_up(&plan, &mut stack, ready_file.as_ref()) => match started {
            Ok(client) => {
                let _fresh = keep_fresh(client);
                (&mut stop).await.map_err(|error| Failure::io("the signals", &error))
            }
            Err(failure) => Err(failure),
        },
        _ = &mut stop => Err(Failure::new(
            Reason::INTERRUPTED,
            "stopped before everything was up; what was made is kept, start it again",
        )),
    };
    let outcome = outcome.and(ready_file.map_or(Ok(()), |file| file.remove()));
    stack.stop().await;
    if outcome.is_ok() {
        say("Stopped. The same command brings everything back.");
    }
    outcome
}

async fn bring_up(
    plan: &Arc<Plan>,
    stack: &mut Stack,
    ready_file: Option<&ReadyFile>,
) -> Result<Client, Failure> {
    let begun = sys::clock::monotonic();
    let names: Vec<_> = [ProcessName::Edge, ProcessName::Core]
        .into_iter()
        .chain(plan.cluster().node_names())
        .collect();
    leftovers::clear(plan.layout(), &names).await?;
    doors::check(plan.doors())?;
    let client = start::start(stack).await?;
    talk::running(plan, begun.elapsed());
    if let Some(file) = ready_file {
        file.write(plan)?;
    }
    Ok(client)
}

/// Renews the operator's certificate for as long as the stack runs, so that verbs find a valid one.
fn keep_fresh(client: Client) -> AbortOnDrop<Infallible> {
    let renewing = async move { client.keep_certificate_fresh().await };
    AbortOnDrop(sys::task::spawn("operator certificate", renewing))
}

fn lock(layout: &Layout) -> Result<Lock, Failure> {
    Lock::acquire(&layout.lock()).map_err(|error| {
        if error.kind() != std::io::ErrorKind::WouldBlock {
            return Failure::io("the lock of the data directory", &error);
        }
        let sentence = format!(
            "another `ward up` runs on {} ({error}): stop it, or give another --data-dir",
            layout.root().display()
        );
        Failure::new(Reason::LOCKED, sentence)
    })
}
