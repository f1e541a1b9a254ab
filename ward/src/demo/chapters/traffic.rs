//! What the device sent, what crossed between the gateways, what lies at rest.

use std::io;
use std::path::Path;
use std::time::Duration;

use memchr::memmem;

use super::Cast;
use crate::demo::broken;
use crate::demo::monitor::Monitor;
use crate::demo::story::{Story, size, time};
use crate::error::Failure;

const MESSAGES: usize = 20;

pub(super) async fn tell(story: &mut Story, cast: &mut Cast<'_>) -> Result<(), Failure> {
    story.chapter("A monitor reports to its server, and knows nothing of Ward");
    let times = story.during("sending", send(cast)).await?;
    let name = cast.patient.clone();
    let seen = count(&cast.sent, &name);
    let line = cast.sent.split(|byte| *byte == b'\r');
    let line = line.into_iter().find(|line| count(line, &name) == 1);
    let line = String::from_utf8_lossy(line.unwrap_or_default()).into_owned();
    let bytes = size(cast.sent.len() as u64);
    let sent =
        format!("{MESSAGES} messages, {bytes}, in clear; {seen} times the name in \"{line}\"");
    story.tell("sent", sent);
    if seen != MESSAGES {
        return Err(broken(
            "the control failed: the name is not in what was sent",
        ));
    }
    let median = times[times.len() / 2];
    let answered = format!(
        "{MESSAGES} of {MESSAGES} by the server itself; {} each",
        time(median)
    );
    story.tell("answered", answered);

    let heard = cast.tap.take();
    let crossed = count(&heard.bytes, &name);
    let bytes = size(heard.count);
    story.tell(
        "crossed",
        format!("{bytes} of TLS between the gateways; {crossed} times the name"),
    );
    let end = &heard.bytes[heard.bytes.len().saturating_sub(SHOWN_BYTES)..];
    story.tell("", format!("… {}", hex(end)));

    let at_rest = story.during("searching", search(cast)).await?;
    let (files, bytes, found) = (at_rest.files, size(at_rest.bytes), at_rest.found);
    story.tell(
        "at rest",
        format!("{files} files, {bytes}; {found} times the name"),
    );
    if crossed + at_rest.found > 0 || heard.count == 0 {
        return Err(broken("a patient's name is where it must not be"));
    }
    Ok(())
}

/// Sends the messages on one connection; answers how long each took, shortest first.
async fn send(cast: &mut Cast<'_>) -> Result<Vec<Duration>, Failure> {
    let lost = |error: io::Error| Failure::io("the monitor's connection", &error);
    let connecting = Monitor::connect(cast.monitor_port, &cast.patient);
    let mut monitor = connecting.await.map_err(lost)?;
    let mut times = Vec::new();
    for _ in 0..MESSAGES {
        let exchange = monitor.exchange().await.map_err(lost)?;
        if !exchange.accepted {
            return Err(broken("an answer belongs to another message"));
        }
        cast.sent.extend_from_slice(&exchange.sent);
        times.push(exchange.took);
    }
    times.sort_unstable();
    Ok(times)
}

fn count(bytes: &[u8], name: &str) -> usize {
    memmem::find_iter(bytes, name.as_bytes()).count()
}

fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}

/// What a search of the data directory found.
#[derive(Default)]
struct AtRest {
    files: usize,
    bytes: u64,
    found: usize,
}

async fn search(cast: &Cast<'_>) -> Result<AtRest, Failure> {
    // What was not written yet cannot be searched.
    super::archive::settled(cast).await?;
    let mut at_rest = AtRest::default();
    search_below(cast.home.dir(), &cast.patient, &mut at_rest)
        .map_err(|error| Failure::io("searching the data directory", &error))?;
    Ok(at_rest)
}

fn search_below(folder: &Path, name: &str, at_rest: &mut AtRest) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            search_below(&path, name, at_rest)?;
            continue;
        }
        // Logs and locks come and go while they are looked at.
        let Ok(content) = std::fs::read(&path) else {
            continue;
        };
        at_rest.files += 1;
        at_rest.bytes += content.len() as u64;
        at_rest.found += count(&content, name);
    }
    Ok(())
}

const SHOWN_BYTES: usize = 24;
