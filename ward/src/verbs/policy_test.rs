//! `ward policy test`: decisions that are written down, held against those that would be made.

use std::collections::BTreeMap;
use std::path::Path;

use kms_client::identity::Role;
use kms_client::model::{Question, Resource, Ruling};
use serde::{Deserialize, Serialize};

use super::client;
use super::policy_why::{because, draft};
use crate::cli::{Asker, Global, Moment, TestArguments};
use crate::error::{Failure, Reason};
use crate::output::{Answer, answer};
use crate::text::Table;

/// Asks the cluster for each decision; one that is another is a failure.
pub(super) async fn run(global: &Global, arguments: TestArguments) -> Result<(), Failure> {
    let cases = read(&arguments.cases)?;
    let draft = draft(arguments.draft)?;
    let draft = draft
        .as_ref()
        .map(|(id, text)| (id.as_str(), text.as_str()));
    let client = client(global)?;
    let mut seen = Vec::new();
    for case in cases {
        let question = case.question()?;
        let decision = client.explain_decision(&question, draft).await?;
        seen.push(Seen {
            expected: case.allowed,
            allowed: decision.ruling == Ruling::Allowed,
            because: because(decision.ruling),
            policies: decision.policies,
            identity: case.identity,
            action: case.action,
            on: case
                .key
                .or(case.device)
                .unwrap_or_else(|| "cluster".to_owned()),
        });
    }
    let unexpected = seen.iter().filter(|seen| !seen.is_expected()).count();
    let count = seen.len();
    answer(global.format(), &SeenList(seen))?;
    match unexpected {
        0 => Ok(()),
        _ => {
            let sentence = format!("{unexpected} of {count} decisions are not as expected");
            Err(Failure::new(Reason::CHECK_FAILED, sentence))
        }
    }
}

/// A file of cases.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    case: Vec<Case>,
}

/// One decision that is expected.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "as")]
    identity: String,
    action: String,
    key: Option<String>,
    device: Option<String>,
    #[serde(default)]
    context: BTreeMap<String, String>,
    #[serde(default = "one")]
    count: u32,
    invites: Option<String>,
    #[serde(default)]
    approved: bool,
    at: Option<String>,
    allowed: bool,
}

fn one() -> u32 {
    1
}

fn read(path: &Path) -> Result<Vec<Case>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::io(format!("cannot read {}", path.display()), &error))?;
    let cases: Cases = toml::from_str(&text).map_err(|error| {
        let sentence = format!("{}: {error}", path.display());
        Failure::new(Reason::INVALID_ARGUMENT, sentence)
    })?;
    Ok(cases.case)
}

impl Case {
    fn question(&self) -> Result<Question, Failure> {
        let refused = |why: String| {
            let sentence = format!("the case of {} and {}: {why}", self.identity, self.action);
            Failure::new(Reason::INVALID_ARGUMENT, sentence)
        };
        let asker: Asker = self.identity.parse().map_err(refused)?;
        let invited = self.invites.as_deref().map(str::parse::<Role>).transpose();
        let resource = match (&self.key, &self.device) {
            (Some(_), Some(_)) => {
                return Err(refused("name a key or a device, not both".to_owned()));
            }
            (Some(name), None) => Resource::Key(name.clone()),
            (None, Some(id)) => Resource::Device(id.clone()),
            (None, None) => Resource::Cluster,
        };
        let at: Option<Moment> = self
            .at
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(refused)?;
        Ok(Question {
            role: asker.role,
            id: asker.id,
            action: self.action.clone(),
            resource,
            context: self.context.clone().into_iter().collect(),
            count: self.count,
            invited: invited.map_err(|error| refused(error.to_string()))?,
            approved: self.approved,
            at_ms: at.map(|at| at.0),
        })
    }
}

/// A decision beside what was expected.
#[derive(Serialize)]
struct Seen {
    #[serde(rename = "as")]
    identity: String,
    action: String,
    on: String,
    expected: bool,
    allowed: bool,
    because: &'static str,
    policies: Vec<String>,
}

impl Seen {
    fn is_expected(&self) -> bool {
        self.expected == self.allowed
    }
}

/// All of them, as shown: one JSON array.
#[derive(Serialize)]
#[serde(transparent)]
struct SeenList(Vec<Seen>);

impl Answer for SeenList {
    fn text(&self) -> String {
        let mut table = Table::new(&["", "IDENTITY", "ACTION", "ON", "DECISION", "BY"]);
        for seen in &self.0 {
            let mark = if seen.is_expected() { "ok" } else { "NOT" };
            let decision = if seen.allowed { "allowed" } else { "denied" };
            let by = match seen.policies.is_empty() {
                true => seen.because.to_owned(),
                false => seen.policies.join(", "),
            };
            table.row([
                mark.to_owned(),
                seen.identity.clone(),
                seen.action.clone(),
                seen.on.clone(),
                decision.to_owned(),
                by,
            ]);
        }
        table.text()
    }
}
