//! `ward key rewrap`: starts a job, shows how far it is, ends it.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::ProgressBar;
use kms_client::Client;
use kms_client::model::{GatewayRewrap, KeySelector, Rewrap, RewrapState};
use serde::Serialize;

use crate::cli::RewrapArguments;
use crate::error::{Failure, Reason};
use crate::output::{Answer, Format, answer, say};
use crate::text::time;

/// Does what was typed after `ward key rewrap`.
pub(super) async fn run(
    client: &Client,
    format: Format,
    asked: RewrapArguments,
) -> Result<(), Failure> {
    let name = asked.name.as_str();
    let rewrap = match (asked.cancel, asked.status) {
        (true, _) => client.cancel_rewrap(name).await?,
        (false, true) => last(client, name).await?,
        (false, false) => client.start_rewrap(name, asked.rate).await?,
    };
    let rewrap = match asked.watch {
        true => watch(client, name, rewrap).await?,
        false => rewrap,
    };
    let view = JobView {
        name: name.to_owned(),
        rewrap: RewrapView::from(&rewrap),
    };
    answer(format, &view)
}

/// The last job of a key.
async fn last(client: &Client, name: &str) -> Result<Rewrap, Failure> {
    let census = client.census(Some(KeySelector::from(name))).await?;
    let job = census.keys.into_iter().find_map(|key| key.rewrap);
    job.ok_or_else(|| {
        let sentence = format!("nothing was rewrapped of {name} yet: leave --status out to begin");
        Failure::new(Reason::INVALID_ARGUMENT, sentence)
    })
}

/// Shows how far a job is until it has ended: as a bar on a terminal, else a line for each news.
async fn watch(client: &Client, name: &str, mut rewrap: Rewrap) -> Result<Rewrap, Failure> {
    // Draws on standard error, and only where that is a terminal.
    let bar = ProgressBar::new(0);
    let (mut shown, mut silent) = (String::new(), false);
    while rewrap.state == RewrapState::Running {
        let line = waits_for(&rewrap);
        bar.set_length(rewrap.done() + rewrap.left());
        bar.set_position(rewrap.done());
        if line != shown {
            bar.set_message(line.clone());
            if !std::io::stderr().is_terminal() {
                say(format_args!(
                    "{} done, {} left; {line}",
                    rewrap.done(),
                    rewrap.left()
                ));
            }
            shown = line;
        }
        tokio::time::sleep(POLL).await;
        match last(client, name).await {
            Ok(now) => (rewrap, silent) = (now, false),
            // The job goes on without anybody who looks; a new leader is found in a moment.
            Err(failure) if failure.may_pass() => {
                if !std::mem::replace(&mut silent, true) {
                    bar.suspend(|| say(&failure));
                }
            }
            Err(failure) => return Err(failure),
        }
    }
    bar.finish_and_clear();
    Ok(rewrap)
}

/// What a job still waits for, in one line.
fn waits_for(rewrap: &Rewrap) -> String {
    let waits = rewrap.gateways.iter().filter_map(|gateway| {
        let what = still(gateway)?;
        Some(format!("{}: {what}", gateway.gateway_id))
    });
    waits.collect::<Vec<_>>().join(", ")
}

/// What a job waits for at one gateway, if it does.
fn still(gateway: &GatewayRewrap) -> Option<String> {
    if !gateway.heard {
        return Some("has told nothing yet".to_owned());
    }
    let left = match (gateway.left, gateway.leased) {
        (0, false) => return None,
        (0, true) => "what is being sealed".to_owned(),
        (left, _) => format!("{left} left"),
    };
    let why = match (gateway.failed, gateway.reason.as_str()) {
        (_, "") => String::new(),
        (0, reason) => format!(", stands still: {reason}"),
        (failed, reason) => format!(", {failed} refused: {reason}"),
    };
    Some(left + &why)
}

/// A job with its key, as shown.
#[derive(Serialize)]
struct JobView {
    name: String,
    #[serde(flatten)]
    rewrap: RewrapView,
}

/// A job, as shown.
#[derive(Serialize)]
pub(super) struct RewrapView {
    number: u64,
    target_version: u32,
    rate: u32,
    state: &'static str,
    started: String,
    ended: Option<String>,
    by: String,
    done: u64,
    left: u64,
    gateways: Vec<GatewayView>,
}

/// How far a gateway is, as shown.
#[derive(Serialize)]
struct GatewayView {
    gateway: String,
    heard: bool,
    done: u64,
    left: u64,
    leased: bool,
    segment: Option<u64>,
    failed: u64,
    reason: String,
    #[serde(skip)]
    waits: Option<String>,
}

impl From<&Rewrap> for RewrapView {
    fn from(rewrap: &Rewrap) -> Self {
        Self {
            number: rewrap.number,
            target_version: rewrap.target.0,
            rate: rewrap.rate,
            state: rewrap.state.as_str(),
            started: time(rewrap.started_ms),
            ended: rewrap.ended_ms.map(time),
            by: rewrap.by.clone(),
            done: rewrap.done(),
            left: rewrap.left(),
            gateways: rewrap.gateways.iter().map(GatewayView::from).collect(),
        }
    }
}

impl From<&GatewayRewrap> for GatewayView {
    fn from(gateway: &GatewayRewrap) -> Self {
        Self {
            waits: still(gateway),
            gateway: gateway.gateway_id.clone(),
            heard: gateway.heard,
            done: gateway.done,
            left: gateway.left,
            leased: gateway.leased,
            segment: gateway.cursor,
            failed: gateway.failed,
            reason: gateway.reason.clone(),
        }
    }
}

impl RewrapView {
    /// One line about a job of this key.
    pub(super) fn line(&self, key: &str) -> String {
        let Self {
            target_version,
            state,
            started,
            done,
            left,
            ..
        } = self;
        let when = match &self.ended {
            Some(ended) => format!("ended {ended}"),
            None => format!("since {started}, at most {} a second", self.rate),
        };
        format!(
            "rewrap of {key} to version {target_version}: {state}, {done} moved, {left} left, \
             {when}\n"
        )
    }
}

impl Answer for JobView {
    fn text(&self) -> String {
        let mut text = self.rewrap.line(&self.name);
        for gateway in &self.rewrap.gateways {
            let GatewayView {
                gateway,
                done,
                waits,
                ..
            } = gateway;
            let waits = waits.as_deref().unwrap_or("nothing left");
            text.push_str(&format!("gateway {gateway}: {done} moved, {waits}\n"));
        }
        text
    }
}

const POLL: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_is_said() {
        let gateway = |heard, left, leased, failed, reason: &str| GatewayRewrap {
            gateway_id: "core".to_owned(),
            heard,
            done: 1,
            left,
            leased,
            cursor: None,
            failed,
            reason: reason.to_owned(),
        };
        for (gateway, expected) in [
            (
                gateway(false, 0, false, 0, ""),
                Some("has told nothing yet"),
            ),
            (gateway(true, 0, false, 0, ""), None),
            (gateway(true, 0, true, 0, ""), Some("what is being sealed")),
            (gateway(true, 7, true, 0, ""), Some("7 left")),
            (
                gateway(true, 7, false, 0, "KEY_DISABLED"),
                Some("7 left, stands still: KEY_DISABLED"),
            ),
            (
                gateway(true, 7, false, 2, "OPEN_FAILED"),
                Some("7 left, 2 refused: OPEN_FAILED"),
            ),
        ] {
            assert_eq!(still(&gateway).as_deref(), expected);
        }
    }
}
