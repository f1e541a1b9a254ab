//! An incident: the monitor is contained, its open connection is cut; released, it goes on.

use std::io::ErrorKind;
use std::time::Duration;

use kms_client::Client;
use kms_client::model::{ContainLevel, ContainOrder};
use tokio::time::{sleep, timeout};

use super::{Cast, MONITOR};
use crate::demo::broken;
use crate::demo::monitor::Monitor;
use crate::demo::story::{Story, time};
use crate::error::Failure;

pub(super) async fn tell(story: &mut Story, cast: &mut Cast<'_>) -> Result<(), Failure> {
    story.chapter("An incident: the monitor is contained");
    let lost = |error| Failure::io("the monitor's connection", &error);
    let connecting = Monitor::connect(cast.monitor_port, &cast.patient);
    let mut monitor = connecting.await.map_err(lost)?;
    cast.sent
        .extend(monitor.exchange().await.map_err(lost)?.sent);
    let client = cast.client()?;
    let begun = sys::clock::monotonic();
    let cutting = timeout(PATIENCE, contain(&client, &mut monitor));
    let cut = story.during("containing", cutting).await;
    let cut = cut.map_err(|_| broken("the order is not complete, or the connection stands"))??;
    let took = begun.elapsed();
    story.tell(
        "cut",
        format!(
            "its open connection was reset {} after the order",
            time(cut)
        ),
    );
    let complete = format!(
        "every gateway said that it forwards nothing, after {}",
        time(took)
    );
    story.tell("complete", complete);
    if try_to_send(cast).await {
        return Err(broken("a contained device was served"));
    }
    story.tell("refused", "a new connection of the monitor carries nothing");

    let begun = sys::clock::monotonic();
    client.release_device(MONITOR).await?;
    let again = timeout(PATIENCE, serve_again(cast));
    let again = story.during("releasing", again).await;
    let exchange = again.map_err(|_| broken("the released device is not served"))?;
    cast.sent.extend(exchange);
    let took = time(begun.elapsed());
    story.tell(
        "released",
        format!("its next message was answered {took} after the order"),
    );
    Ok(())
}

/// Orders it, and waits for both the gateways and the end of the connection. How long the
/// connection went on.
async fn contain(client: &Client, monitor: &mut Monitor) -> Result<Duration, Failure> {
    let begun = sys::clock::monotonic();
    let order = ContainOrder::of(ContainLevel::Isolate);
    let (report, (end, cut)) = tokio::join!(client.contain_device(MONITOR, &order), async {
        (monitor.closed().await, begun.elapsed())
    });
    if !report?.is_complete() {
        return Err(broken("not every gateway has acknowledged"));
    }
    // An orderly end would tell the monitor that all was well.
    if end != ErrorKind::ConnectionReset {
        return Err(broken(format!("its open connection was not reset: {end}")));
    }
    Ok(cut)
}

/// Whether a message of the monitor is answered now.
async fn try_to_send(cast: &Cast<'_>) -> bool {
    match Monitor::connect(cast.monitor_port, &cast.patient).await {
        Ok(mut monitor) => monitor.exchange().await.is_ok(),
        Err(_) => false,
    }
}

/// Tries until a message is answered.
async fn serve_again(cast: &Cast<'_>) -> Vec<u8> {
    loop {
        if let Ok(mut monitor) = Monitor::connect(cast.monitor_port, &cast.patient).await
            && let Ok(exchange) = monitor.exchange().await
        {
            return exchange.sent;
        }
        sleep(PAUSE).await;
    }
}

const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(20);
