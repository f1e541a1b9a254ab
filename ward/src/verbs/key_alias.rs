//! `ward key alias …`.

use kms_client::Client;
use kms_client::model::Alias;
use kms_client::reason::Reason as KmsReason;
use serde::Serialize;

use crate::cli::AliasVerb;
use crate::error::{Failure, Reason};
use crate::output::{Answer, Format, answer};
use crate::text::Table;

/// Does what was typed after `ward key alias`.
pub(super) async fn run(client: &Client, format: Format, verb: AliasVerb) -> Result<(), Failure> {
    let alias = match verb {
        AliasVerb::List => {
            let aliases = client.list_aliases("").await?;
            let aliases = AliasList(aliases.into_iter().map(AliasView::from).collect());
            return answer(format, &aliases);
        }
        AliasVerb::Create(wanted) => client.create_alias(&wanted.alias, wanted.key).await?,
        AliasVerb::Move(wanted) => {
            let (alias, key) = (wanted.to.alias, wanted.to.key);
            let revision = revision(client, &alias, wanted.revision).await?;
            client.move_alias(&alias, key, revision).await?
        }
        AliasVerb::Delete(which) => {
            let revision = revision(client, &which.alias, which.revision).await?;
            client.delete_alias(&which.alias, revision).await?;
            return answer(
                format,
                &Deleted {
                    deleted: which.alias,
                },
            );
        }
    };
    answer(format, &AliasView::from(alias))
}

/// The revision that was typed, or the present one: what happens in between is a CONFLICT.
async fn revision(client: &Client, alias: &str, typed: Option<u64>) -> Result<u64, Failure> {
    if let Some(revision) = typed {
        return Ok(revision);
    }
    let found = client.list_aliases(alias).await?;
    let found = found.into_iter().find(|found| found.name == alias);
    found.map(|found| found.revision).ok_or_else(|| {
        let reason = Reason::parse(KmsReason::AliasNotFound.as_str());
        Failure::new(
            reason,
            "no such alias; `ward key alias list` shows what there is",
        )
    })
}

/// An alias, as shown.
#[derive(Serialize)]
struct AliasView {
    alias: String,
    key: String,
    key_id: String,
    revision: u64,
}

/// Aliases, as shown: one JSON array.
#[derive(Serialize)]
#[serde(transparent)]
struct AliasList(Vec<AliasView>);

/// What is gone, as shown.
#[derive(Serialize)]
struct Deleted {
    deleted: String,
}

impl From<Alias> for AliasView {
    fn from(alias: Alias) -> Self {
        Self {
            alias: alias.name,
            key: alias.key_name,
            key_id: alias.key_id.to_string(),
            revision: alias.revision,
        }
    }
}

impl Answer for AliasView {
    fn text(&self) -> String {
        let Self {
            alias,
            key,
            revision,
            ..
        } = self;
        format!("{alias} means {key}, revision {revision}\n")
    }
}

impl Answer for AliasList {
    fn text(&self) -> String {
        let mut table = Table::new(&["ALIAS", "KEY", "REVISION", "KEY ID"]);
        for alias in &self.0 {
            table.row([
                alias.alias.clone(),
                alias.key.clone(),
                alias.revision.to_string(),
                alias.key_id.clone(),
            ]);
        }
        table.text()
    }
}

impl Answer for Deleted {
    fn text(&self) -> String {
        format!("{} means no key any more\n", self.deleted)
    }
}
