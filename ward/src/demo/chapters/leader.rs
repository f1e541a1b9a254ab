//! The leader of the cluster is killed; devices and keys go on.

use std::time::Duration;

use kms_client::Client;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{sleep, timeout};

use super::Cast;
use crate::demo::broken;
use crate::demo::monitor::Monitor;
use crate::demo::story::{Story, time};
use crate::error::{Failure, Reason};

pub(super) async fn tell(story: &mut Story, cast: &mut Cast<'_>) -> Result<(), Failure> {
    story.chapter("The leader of the cluster is killed");
    let client = cast.client()?;
    let (id, pid) = leader(&client).await?;
    let lost = |error| Failure::io("the monitor's connection", &error);
    let connecting = Monitor::connect(cast.monitor_port, &cast.patient);
    let mut monitor = connecting.await.map_err(lost)?;
    kill_process(pid, Signal::KILL)
        .map_err(|error| Failure::io("cannot kill the leader", &error.into()))?;
    let begun = sys::clock::monotonic();
    story.tell(
        "killed",
        format!(
            "node-{id}, process {}, without a warning",
            pid.as_raw_nonzero()
        ),
    );

    let mut again = Box::pin(story.during("electing", next_key(&client)));
    let (mut answered, mut slowest) = (0, Duration::ZERO);
    let took = loop {
        let exchange = monitor.exchange().await.map_err(lost)?;
        cast.sent.extend_from_slice(&exchange.sent);
        answered += 1;
        slowest = slowest.max(exchange.took);
        if let Ok(made) = timeout(PAUSE, &mut again).await {
            made?;
            break begun.elapsed();
        }
    };
    drop(again);
    story.tell(
        "keys",
        format!("the next one was made {} later", time(took)),
    );
    let went_on = format!(
        "{answered} messages meanwhile, all answered, {} at most",
        time(slowest)
    );
    story.tell("monitor", went_on);
    let leading = match other_leader(&client, pid).await? {
        // It was started again before the others had elected one of them.
        now if now == id => format!("node-{id} again, in a new process, started by `ward up`"),
        now => {
            restarted(&client, id, pid).await?;
            format!("node-{now}; node-{id} was started again by `ward up`")
        }
    };
    story.tell("leading", leading);
    Ok(())
}

/// Who leads in another process than the one that was killed.
async fn other_leader(client: &Client, killed: Pid) -> Result<u64, Failure> {
    let end = sys::clock::monotonic() + PATIENCE;
    loop {
        match leader(client).await {
            Ok((id, pid)) if pid != killed => return Ok(id),
            _ if sys::clock::monotonic() < end => sleep(PAUSE).await,
            Ok(_) => return Err(broken("the killed process leads")),
            Err(failure) => return Err(failure),
        }
    }
}

/// Waits until the node of the process that was killed answers in a new one.
async fn restarted(client: &Client, id: u64, killed: Pid) -> Result<(), Failure> {
    let end = sys::clock::monotonic() + PATIENCE;
    loop {
        let status = client.cluster_status().await;
        let nodes = status.map(|status| status.nodes).unwrap_or_default();
        let node = nodes.iter().find(|node| node.id.0 == id);
        let pid = node.and_then(|node| node.pid);
        // Who does not answer has none.
        if pid.is_some_and(|pid| i64::from(pid) != i64::from(killed.as_raw_nonzero().get())) {
            return Ok(());
        }
        if sys::clock::monotonic() >= end {
            return Err(broken("the killed node is not started again"));
        }
        sleep(PAUSE).await;
    }
}

async fn leader(client: &Client) -> Result<(u64, Pid), Failure> {
    let status = client.cluster_status().await?;
    let leads = |id: u64| status.nodes.iter().find(|node| node.id.0 == id);
    let node = status.leader.and_then(|leader| leads(leader.0));
    let pid = node
        .and_then(|node| node.pid)
        .and_then(|pid| i32::try_from(pid).ok());
    let found = node.map(|node| node.id.0).zip(pid.and_then(Pid::from_raw));
    found.ok_or_else(|| Failure::new(Reason::UNAVAILABLE, "nobody says who leads"))
}

/// Makes a key, as soon as there is a leader who can.
async fn next_key(client: &Client) -> Result<(), Failure> {
    loop {
        match client.create_key(NEXT_KEY).await {
            Ok(_) => return Ok(()),
            Err(error) if error.reason().may_pass() => sleep(PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
}

const NEXT_KEY: &str = "made-after-the-kill";
const PAUSE: Duration = Duration::from_millis(5);
/// How long the nodes may take to tell who leads, and the killed one to come back: it waits before
/// it is started, opens what it has, and shares the machine with everything else.
const PATIENCE: Duration = Duration::from_secs(20);
