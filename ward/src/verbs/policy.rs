//! `ward policy …`.

use std::path::Path;

use kms_client::Client;
use kms_client::model::Policy;
use serde::Serialize;

use super::{client, policy_grant, policy_test, policy_why};
use crate::cli::{Global, PolicyVerb, PutArguments};
use crate::error::{Failure, Reason};
use crate::output::{Answer, answer, line};
use crate::text::{Table, time};

/// Does what was typed after `ward policy`.
pub(super) async fn run(global: &Global, verb: PolicyVerb) -> Result<(), Failure> {
    match verb {
        PolicyVerb::Put(arguments) => {
            answer(global.format(), &put(&client(global)?, arguments).await?)
        }
        PolicyVerb::Delete(which) => {
            client(global)?.delete_policy(&which.id).await?;
            answer(global.format(), &DeletedView { id: which.id })
        }
        PolicyVerb::Grant(arguments) => {
            let granted = policy_grant::run(&client(global)?, arguments).await?;
            answer(global.format(), &EntryView::from(granted))
        }
        PolicyVerb::List => {
            let policies = client(global)?.list_policies().await?;
            let entries = policies.into_iter().map(EntryView::from).collect();
            answer(global.format(), &PolicyList(entries))
        }
        PolicyVerb::Show(which) => {
            let policy = client(global)?.describe_policy(&which.id).await?;
            answer(global.format(), &PolicyView::from(policy))
        }
        PolicyVerb::Why(arguments) => policy_why::run(global, arguments).await,
        PolicyVerb::Test(arguments) => policy_test::run(global, arguments).await,
        // What the program itself knows needs no cluster.
        PolicyVerb::Schema => line(kms_server::policy::SCHEMA.trim_end()),
        PolicyVerb::BuiltIn => line(kms_server::policy::built_in_text().trim_end()),
    }
}

async fn put(client: &Client, arguments: PutArguments) -> Result<EntryView, Failure> {
    let (id, text) = read(&arguments.file, arguments.id)?;
    if let Some(life) = arguments.life {
        let put = client.put_ending_policy(&id, &text, life).await?;
        return Ok(EntryView::from(put));
    }
    let revision = client.put_policy(&id, &text).await?;
    Ok(EntryView {
        id,
        revision,
        ends_ms: None,
    })
}

/// A policy's id and text; the id is the file's name unless one is given.
pub(super) fn read(file: &Path, id: Option<String>) -> Result<(String, String), Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::io(format!("cannot read {}", file.display()), &error))?;
    let id = match id {
        Some(id) => id,
        None => named_by(file)?,
    };
    Ok((id, text))
}

fn named_by(file: &Path) -> Result<String, Failure> {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    stem.map(str::to_owned).ok_or_else(|| {
        let sentence = format!("{} names no policy: say its --id", file.display());
        Failure::new(Reason::INVALID_ARGUMENT, sentence)
    })
}

/// A policy without its text, as shown.
#[derive(Serialize)]
struct EntryView {
    id: String,
    revision: u64,
    ends_ms: Option<u64>,
}

/// What is no more.
#[derive(Serialize)]
struct DeletedView {
    id: String,
}

/// Policies, as shown: one JSON array.
#[derive(Serialize)]
#[serde(transparent)]
struct PolicyList(Vec<EntryView>);

/// A policy, as shown.
#[derive(Serialize)]
struct PolicyView {
    id: String,
    revision: u64,
    ends_ms: Option<u64>,
    text: String,
}

impl From<Policy> for EntryView {
    fn from(policy: Policy) -> Self {
        Self {
            id: policy.id,
            revision: policy.revision,
            ends_ms: policy.ends_ms,
        }
    }
}

impl From<Policy> for PolicyView {
    fn from(policy: Policy) -> Self {
        Self {
            id: policy.id,
            revision: policy.revision,
            ends_ms: policy.ends_ms,
            text: policy.text,
        }
    }
}

impl Answer for EntryView {
    fn text(&self) -> String {
        let until = self
            .ends_ms
            .map(|ends_ms| format!(", until {}", time(ends_ms)));
        format!(
            "policy {} is in force, revision {}{}\n",
            self.id,
            self.revision,
            until.unwrap_or_default()
        )
    }
}

impl Answer for DeletedView {
    fn text(&self) -> String {
        format!("policy {} is in force no longer\n", self.id)
    }
}

impl Answer for PolicyList {
    fn text(&self) -> String {
        let mut table = Table::new(&["POLICY", "REVISION", "ENDS"]);
        for policy in &self.0 {
            table.row([
                policy.id.clone(),
                policy.revision.to_string(),
                policy.ends_ms.map_or_else(|| "never".to_owned(), time),
            ]);
        }
        table.text()
    }
}

impl Answer for PolicyView {
    /// The text alone, so that `ward policy show ID > FILE` is what `put` takes.
    fn text(&self) -> String {
        let end = if self.text.ends_with('\n') { "" } else { "\n" };
        format!("{}{end}", self.text)
    }
}
