//! Everything that was asked of the KMS is in its audit logs; they are checked, and so is an export
//! in which one letter was changed.

use std::path::Path;

use serde_json::Value;

use super::{Cast, MONITOR};
use crate::demo::broken;
use crate::demo::stack::ward;
use crate::demo::story::Story;
use crate::error::Failure;

pub(super) async fn tell(story: &mut Story, cast: &Cast<'_>) -> Result<(), Failure> {
    story.chapter("An auditor checks the logs");
    let dir = cast.home.dir();
    let checking = ward(dir, &["audit", "verify", "--output", "json"]);
    let checked = story.during("checking", checking).await?;
    if !checked.succeeded {
        return Err(broken(format!("the logs are not sound: {}", checked.said)));
    }
    let verdict = parsed(&checked.told)?;
    let nodes = nodes(&verdict)?;
    let sum = |what: &str| {
        nodes
            .iter()
            .filter_map(|node| node[what].as_u64())
            .sum::<u64>()
    };
    story.tell(
        "checked",
        format!(
            "{} records in the logs of {} nodes, chained and signed: {} signatures",
            sum("records"),
            nodes.len(),
            sum("checkpoints")
        ),
    );
    story.tell(
        "found",
        format!(
            "{} lines that were changed, cut or put in",
            sum("findings_count")
        ),
    );

    let (whole, changed) = (dir.join("demo/audit.ward"), dir.join("demo/changed.ward"));
    let whole_path = whole.display().to_string();
    let exported = ward(dir, &["audit", "export", "--out", &whole_path]).await?;
    if !exported.succeeded {
        return Err(broken(format!(
            "the logs were not exported: {}",
            exported.said
        )));
    }
    change(&whole, &changed).map_err(|error| Failure::io("the copy of the export", &error))?;
    let changed = changed.display().to_string();
    let verify = ["audit", "verify", "--export", &changed, "--output", "json"];
    let checked = ward(dir, &verify).await?;
    let verdict = parsed(&checked.told)?;
    let Some((node, line)) = finding(&verdict).filter(|_| !checked.succeeded) else {
        return Err(broken("a changed log was not found out"));
    };
    let changed = format!("one letter of an exported copy: found, in line {line} of {node}");
    story.tell("changed", changed);
    Ok(())
}

/// The first line that does not hold, and whose log it is of.
fn finding(verdict: &Value) -> Option<(&str, u64)> {
    let nodes = verdict["nodes"].as_array()?;
    let has_findings = |node: &&Value| node["findings_count"] != 0;
    let node = nodes.iter().find(has_findings)?;
    let line = node["findings"][0]["line"].as_u64()?;
    Some((node["node"].as_str()?, line))
}

fn parsed(told: &str) -> Result<Value, Failure> {
    serde_json::from_str(told).map_err(|_| broken("the verdict is no JSON"))
}

fn nodes(verdict: &Value) -> Result<&Vec<Value>, Failure> {
    let nodes = verdict["nodes"].as_array();
    nodes.ok_or_else(|| broken("the verdict names no node"))
}

/// Copies an export and changes one letter of the monitor's name in it.
fn change(whole: &Path, changed: &Path) -> std::io::Result<()> {
    let mut bytes = std::fs::read(whole)?;
    if let Some(at) = memchr::memmem::find(&bytes, MONITOR.as_bytes()) {
        bytes[at] ^= 1;
    }
    std::fs::write(changed, bytes)
}
