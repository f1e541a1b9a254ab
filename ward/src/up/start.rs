//! From nothing, or from what an earlier run left, to a stack that serves.

use std::future::Future;
use std::time::Duration;

use kms_client::Client;
use tokio::time::{sleep, timeout};

use super::layout::ProcessName;
use super::stack::Stack;
use super::{enlist, found};
use crate::error::{Failure, Reason};
use crate::output::say;

/// Brings everything up. When this returns, every edge listener is bound and its policy loaded.
/// Answers the operator's client.
pub(crate) async fn start(stack: &mut Stack) -> Result<Client, Failure> {
    let plan = stack.plan().clone();
    let board = stack.board().clone();
    let nodes = plan.cluster().nodes.len();
    found::found(&plan).await?;
    tokio::select! {
        why = board.hopeless(nodes) => Err(why),
        come_up = timeout(PATIENCE, come_up(stack)) => come_up.unwrap_or_else(|_| Err(too_late())),
    }
}

async fn come_up(stack: &mut Stack) -> Result<Client, Failure> {
    let plan = stack.plan().clone();
    let board = stack.board().clone();
    let names: Vec<_> = plan
        .cluster()
        .nodes
        .iter()
        .map(|node| ProcessName::Node(node.id))
        .collect();
    let (members, newcomers): (Vec<_>, Vec<_>) = names
        .iter()
        .partition(|&&name| enlist::has_joined(plan.layout(), name));
    for &name in &members {
        stack.start(name);
    }
    board.ready(&members[..1]).await;
    let client = Client::open(plan.layout().operator())?;
    patiently(|| enlist::renew_if_due(&client)).await?;
    for name in newcomers {
        let ProcessName::Node(id) = name else {
            continue;
        };
        patiently(|| enlist::node(&plan, &client, id)).await?;
        stack.start(name);
    }
    for gateway in [ProcessName::Core, ProcessName::Edge] {
        patiently(|| enlist::gateway(&plan, &client, gateway)).await?;
    }
    patiently(|| enlist::devices(&plan, &client)).await?;
    stack.start(ProcessName::Core);
    stack.start(ProcessName::Edge);
    board.ready(&[ProcessName::Core, ProcessName::Edge]).await;
    // A node that is late, or cannot come, is no reason to keep devices waiting.
    if timeout(LATE_NODE, board.ready(&names)).await.is_err() {
        for late in board.missing(&names) {
            say(format_args!(
                "{late} is not ready yet; the others serve. See {}",
                plan.layout().log(late).display()
            ));
        }
    }
    Ok(client)
}

/// Repeats a step for as long as only the others are not there yet; the caller limits the time.
async fn patiently<F: Future<Output = Result<(), Failure>>>(
    step: impl Fn() -> F,
) -> Result<(), Failure> {
    loop {
        match step().await {
            Err(failure) if failure.may_pass() => {
                tracing::debug!(%failure, "repeating");
                sleep(INTERVAL).await;
            }
            settled => return settled,
        }
    }
}

fn too_late() -> Failure {
    let sentence = format!(
        "the stack did not come up within {} s: see the files in the folder `log`",
        PATIENCE.as_secs()
    );
    Failure::new(Reason::DEADLINE, sentence)
}

/// A cold machine, a long log to replay.
const PATIENCE: Duration = Duration::from_secs(120);
const LATE_NODE: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_millis(50);
