//! The device's key is rotated; both versions are at work.

use std::collections::BTreeMap;

use kms_client::archive::Filter;
use tokio::time::{Instant, sleep_until};

use super::{Cast, MONITOR, MONITOR_KEY};
use crate::demo::broken;
use crate::demo::monitor::Monitor;
use crate::demo::story::{Story, time};
use crate::error::Failure;

pub(super) async fn tell(story: &mut Story, cast: &mut Cast<'_>) -> Result<(), Failure> {
    story.chapter("The monitor's key is rotated while it goes on");
    let client = cast.client()?;
    let before = client.describe_key(MONITOR_KEY).await?.primary_version;
    let begun = sys::clock::monotonic();
    let after = client
        .rotate_key(MONITOR_KEY, Some(before))
        .await?
        .primary_version;
    let took = time(begun.elapsed());
    story.tell(
        "rotated",
        format!("{MONITOR_KEY} from version {before} to {after} in {took}"),
    );
    // From one second after the answer on, every object is under the new version.
    let new_version = Instant::from_std(begun) + super::archive::ROTATED_WITHIN;
    story
        .during("waiting a second", sleep_until(new_version))
        .await;
    let lost = |error| Failure::io("the monitor's connection", &error);
    let connecting = Monitor::connect(cast.monitor_port, &cast.patient);
    let mut monitor = connecting.await.map_err(lost)?;
    for _ in 0..MESSAGES {
        cast.sent
            .extend(monitor.exchange().await.map_err(lost)?.sent);
    }
    super::archive::settled(cast).await?;
    let mut objects = BTreeMap::<u32, usize>::new();
    let archive = super::archive::open(cast)?;
    for object in archive.list(Filter {
        device: Some(MONITOR.into()),
    })? {
        if let Some(version) = object?.key_version {
            *objects.entry(version.0).or_default() += 1;
        }
    }
    let lines: Vec<_> = objects
        .iter()
        .map(|(version, count)| format!("{count} under version {version}"))
        .collect();
    story.tell("archived", format!("objects: {}", lines.join(", ")));
    if objects.len() != 2 {
        return Err(broken("the new version is not at work"));
    }
    Ok(())
}

const MESSAGES: usize = 5;
