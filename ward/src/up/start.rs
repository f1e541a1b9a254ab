//! From nothing, or from what an earlier run left, to a stack that serves.

use std::cell::RefCell;
use std::future::Future;
use std::time::Duration;

use kms_client::Client;
use kms_client::model::{NodeRole, NodeStatus};
use tokio::time::{sleep, timeout};

use super::board::{Board, Phase};
use super::enlist::Standing;
use super::layout::ProcessName;
use super::plan::Plan;
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
    let last = LastFailure::default();
    tokio::select! {
        why = board.hopeless(nodes) => Err(why),
        come_up = timeout(PATIENCE, come_up(stack, &last)) => {
            come_up.unwrap_or_else(|_| Err(too_late(&last, &board)))
        }
    }
}

async fn come_up(stack: &mut Stack, last: &LastFailure) -> Result<Client, Failure> {
    let plan = stack.plan().clone();
    let board = stack.board().clone();
    let mut names: Vec<_> = plan.cluster().node_names().collect();
    let (mut members, mut newcomers) = (Vec::new(), Vec::new());
    for (number, &name) in (1..).zip(&names) {
        match enlist::standing(&plan, number)? {
            Standing::Member => members.push(name),
            Standing::Newcomer => newcomers.push(number),
            Standing::Removed => {
                board.put(name, Phase::Removed);
                say(format_args!(
                    "{name} was removed from the cluster and is not started; to have it join \
                     again, stop, delete {} and start again",
                    plan.layout().home(name).display()
                ));
            }
        }
    }
    names.retain(|name| !board.is_removed(*name));
    if members.is_empty() {
        return Err(no_member(&plan));
    }
    for &name in &members {
        stack.start(name);
    }
    board.any_ready(&members).await;
    let client = Client::open(plan.layout().operator())?;
    patiently(last, || enlist::renew_if_due(&client)).await?;
    for number in newcomers {
        match patiently(last, || enlist::node(&plan, &board, &client, number)).await {
            Ok(()) => stack.start(ProcessName::Node(number)),
            // A disk that is gone takes one node away, not the keys and devices of all.
            Err(failure) if members.len() > names.len() / 2 => {
                say(format_args!("node-{number} cannot join: {failure}"));
            }
            Err(failure) => return Err(failure),
        }
    }
    // Where a newcomer is, and under which id, was written meanwhile.
    let client = Client::open(plan.layout().operator())?;
    for gateway in [ProcessName::Core, ProcessName::Edge] {
        patiently(last, || enlist::gateway(&plan, &board, &client, gateway)).await?;
    }
    patiently(last, || enlist::devices(&plan, &client)).await?;
    stack.start(ProcessName::Core);
    stack.start(ProcessName::Edge);
    board.ready(&[ProcessName::Core, ProcessName::Edge]).await;
    // A node that is late, or cannot come, is no reason to keep devices waiting.
    let all_vote = async {
        board.ready(&names).await;
        all_vote(&client).await;
    };
    if timeout(LATE_NODE, all_vote).await.is_err() {
        for late in board.missing(&names) {
            say(format_args!(
                "{late} is not ready yet; the others serve. See {}",
                plan.layout().log(late).display()
            ));
        }
    }
    Ok(client)
}

/// Waits until every member votes: before that, losing one may be losing the quorum.
async fn all_vote(client: &Client) {
    loop {
        let status = client.cluster_status().await;
        let learning = |node: &NodeStatus| node.role == NodeRole::Learner;
        if status.is_ok_and(|status| !status.nodes.iter().any(learning)) {
            return;
        }
        sleep(INTERVAL).await;
    }
}

/// What the last step that was repeated failed with: what a start that comes too late waited for.
type LastFailure = RefCell<Option<Failure>>;

/// Repeats a step for as long as only the others are not there yet, or have not renewed their
/// certificates yet: after a year off that takes an election. The caller limits the time.
async fn patiently<F: Future<Output = Result<(), Failure>>>(
    last: &LastFailure,
    step: impl Fn() -> F,
) -> Result<(), Failure> {
    loop {
        match step().await {
            Err(failure) if failure.may_pass() || is_expired(&failure) => {
                tracing::debug!(%failure, "repeating");
                last.replace(Some(failure));
                sleep(INTERVAL).await;
            }
            settled => {
                last.replace(None);
                return settled;
            }
        }
    }
}

fn is_expired(failure: &Failure) -> bool {
    *failure.reason() == Reason::CERTIFICATE_EXPIRED
}

fn too_late(last: &LastFailure, board: &Board) -> Failure {
    let waited_for = match (last.take(), board.last_words()) {
        (Some(step), _) => format!("the last try failed with {step}; "),
        (None, Some(process)) => format!("{process}; "),
        (None, None) => String::new(),
    };
    let sentence = format!(
        "the stack did not come up within {} s: {waited_for}see the files in the folder `log`",
        PATIENCE.as_secs()
    );
    Failure::new(Reason::DEADLINE, sentence)
}

fn no_member(plan: &Plan) -> Failure {
    let layout = plan.layout();
    let sentence = format!(
        "{} was founded, and no node's directory ({} and its siblings) holds an identity any more: \
         put back a copy of a node's directory, or give another --data-dir for a new cluster",
        layout.root().display(),
        layout.home(ProcessName::Node(1)).display()
    );
    Failure::new(Reason::NO_CLUSTER, sentence)
}

/// A cold machine, a long log to replay.
const PATIENCE: Duration = Duration::from_secs(120);
const LATE_NODE: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_millis(50);
