//! `ward audit tail`: the newest records of running nodes, and those that follow.

use std::time::Duration;

use kms_client::Client;
use serde_json::Value;

use crate::cli::{Global, TailArguments};
use crate::error::Failure;
use crate::evidence::{bound_to, members};
use crate::node_names::NodeNames;
use crate::output::{Format, line_at_once, say};

/// Shows what is there, then what comes.
pub(super) async fn run(global: &Global, arguments: TailArguments) -> Result<(), Failure> {
    let names = NodeNames::load(&global.data_dir)?;
    let (mut tails, mut shown) = (Vec::new(), Vec::new());
    let mut missing = Ok(());
    for node in members(global).await? {
        let number = names.number_of(node).unwrap_or(node);
        let opened = async { Tail::open(bound_to(global, node)?, number).await };
        match opened.await {
            Ok(mut tail) => {
                let lines = tail.newest(arguments.lines).await?;
                shown.extend(lines.into_iter().map(|line| Shown::new(number, &line)));
                tails.push(tail);
            }
            Err(failure) => missing = missing.and(Err(failure.of(format!("node-{number}")))),
        }
    }
    shown.sort_by(|one, other| one.time.cmp(&other.time));
    let mut out = shown.iter();
    if !out.all(|line| line.write(global.format()).unwrap_or(false)) || !arguments.follow {
        return missing;
    }
    if let Err(failure) = missing {
        say(failure);
    }
    follow(global.format(), &mut tails).await
}

/// Goes on until the reader or the process ends.
async fn follow(format: Format, tails: &mut [Tail]) -> Result<(), Failure> {
    loop {
        for tail in &mut *tails {
            let lines = match tail.next().await {
                Ok(lines) => lines,
                Err(failure) if failure.may_pass() => {
                    tail.complain(failure);
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            tail.silent = false;
            for line in lines {
                if !Shown::new(tail.number, &line).write(format)? {
                    return Ok(());
                }
            }
        }
        tokio::time::sleep(POLL).await;
    }
}

/// The end of one node's log.
struct Tail {
    client: Client,
    number: u64,
    file: String,
    offset: u64,
    /// A line whose end has not been read yet.
    pending: Vec<u8>,
    /// Whether it was told already that the node does not answer.
    silent: bool,
}

impl Tail {
    /// Stands a little before the end of the newest file.
    async fn open(client: Client, number: u64) -> Result<Self, Failure> {
        let newest = client.audit_files().await?.pop();
        let (file, bytes) = newest.map_or_else(Default::default, |it| (it.name, it.bytes));
        Ok(Self {
            client,
            number,
            file,
            offset: bytes.saturating_sub(BYTES_BACK),
            pending: Vec::new(),
            silent: false,
        })
    }

    async fn newest(&mut self, count: usize) -> Result<Vec<Vec<u8>>, Failure> {
        let cut = self.offset > 0;
        let mut lines = self.next().await?;
        if cut && !lines.is_empty() {
            // Read from its middle on.
            lines.remove(0);
        }
        let surplus = lines.len().saturating_sub(count);
        Ok(lines.split_off(surplus))
    }

    /// What was recorded since.
    async fn next(&mut self) -> Result<Vec<Vec<u8>>, Failure> {
        let mut lines = Vec::new();
        // Asked before the file is read: what is begun later is read next time.
        let files = self.client.audit_files().await?;
        loop {
            loop {
                let data = self.client.read_audit_file(&self.file, self.offset).await?;
                if data.is_empty() {
                    break;
                }
                self.offset += data.len() as u64;
                self.take(&data, &mut lines);
            }
            let Some(next) = files.iter().find(|file| file.name > self.file) else {
                return Ok(lines);
            };
            self.file.clone_from(&next.name);
            self.offset = 0;
            self.pending.clear();
        }
    }

    fn take(&mut self, data: &[u8], lines: &mut Vec<Vec<u8>>) {
        let mut pieces = data.split(|byte| *byte == b'\n');
        self.pending
            .extend_from_slice(pieces.next().unwrap_or_default());
        for piece in pieces {
            lines.push(std::mem::replace(&mut self.pending, piece.to_vec()));
        }
    }

    fn complain(&mut self, failure: Failure) {
        if !std::mem::replace(&mut self.silent, true) {
            say(failure.of(format!("node-{}", self.number)));
        }
    }
}

/// A record, as shown.
struct Shown {
    time: String,
    json: Value,
}

impl Shown {
    fn new(node: u64, line: &[u8]) -> Self {
        let mut json = serde_json::from_slice(line)
            .unwrap_or_else(|_| serde_json::json!({ "kind": "unreadable" }));
        json["node"] = format!("node-{node}").into();
        let time = json["time"].as_str().unwrap_or_default().to_owned();
        Self { time, json }
    }

    /// Answers whether somebody reads on.
    fn write(&self, format: Format) -> Result<bool, Failure> {
        line_at_once(&match format {
            Format::Json => self.json.to_string(),
            Format::Text => self.text(),
        })
    }

    fn text(&self) -> String {
        let field = |name: &str| match &self.json[name] {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
        };
        let call = [
            "action",
            "resource",
            "outcome",
            "reason",
            "principal",
            "peer",
        ];
        let event = ["kind", "why", "bytes"];
        let names: &[&str] = match self.json["kind"].as_str() {
            Some("call") => &call,
            Some(_) | None => &event,
        };
        let mut text = format!("{} {} {}", self.time, field("node"), field("seq"));
        for value in names.iter().map(|name| field(name)) {
            if !value.is_empty() {
                // A record holds what callers sent; a terminal must not obey it.
                let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
                text.push(' ');
                text.extend(value.chars().map(printable));
            }
        }
        text
    }
}

const BYTES_BACK: u64 = 256 * 1_024;
const POLL: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_callers_sent_does_not_reach_the_terminal_as_a_command() {
        let line = br#"{"seq":3,"kind":"call","action":"Encrypt","resource":"\u001b[2Jx\n"}"#;
        let text = Shown::new(1, line).text();
        assert!(
            text.contains("Encrypt") && !text.contains(['\u{1b}', '\n']),
            "{text}"
        );
    }
}
