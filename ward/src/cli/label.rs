//! `ward key label`, `ward key alias …`, and labels where keys are made and listed.

use std::str::FromStr;

use clap::{Args, Subcommand};
use kms_client::model::Labels;

/// One `K=V`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    key: String,
    value: String,
}

impl FromStr for Label {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // What a key and a value may hold is for the cluster to say.
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self {
                key: key.to_owned(),
                value: value.to_owned(),
            }),
            Some(_) | None => Err("write it as K=V"),
        }
    }
}

/// Puts labels together; one that is given twice is refused, never silently chosen from.
pub(crate) fn gather_labels(typed: &[Label]) -> Result<Labels, String> {
    let mut labels = Labels::new();
    for Label { key, value } in typed {
        if labels.insert(key.clone(), value.clone()).is_some() {
            return Err(format!("the label {key} is given twice"));
        }
    }
    Ok(labels)
}

/// Which labels of which key.
#[derive(Args, Debug)]
pub(crate) struct LabelArguments {
    /// The key's name, or an alias.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Set a label. May be repeated; a key has at most 16.
    #[arg(long, value_name = "K=V", required_unless_present = "remove")]
    pub(crate) set: Vec<Label>,
    /// Remove a label. May be repeated.
    #[arg(long, value_name = "K")]
    pub(crate) remove: Vec<String>,
}

/// What to do with aliases.
#[derive(Debug, Subcommand)]
pub(crate) enum AliasVerb {
    /// Give a key another name.
    Create(AliasArguments),
    /// Let an alias mean another key, from the answer on.
    Move(MoveArguments),
    /// Delete an alias; the key stays.
    Delete(DeleteArguments),
    /// List all aliases by name.
    List,
}

/// Which name for which key.
#[derive(Args, Debug)]
pub(crate) struct AliasArguments {
    /// The alias, `alias/NAME`.
    #[arg(value_name = "ALIAS")]
    pub(crate) alias: String,
    /// The key's name.
    #[arg(value_name = "KEY")]
    pub(crate) key: String,
}

/// Which alias, and where to.
#[derive(Args, Debug)]
pub(crate) struct MoveArguments {
    #[command(flatten)]
    pub(crate) to: AliasArguments,
    /// Only if it has this revision, as `ward key alias list` shows it [default: the present one].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) revision: Option<u64>,
}

/// Which alias.
#[derive(Args, Debug)]
pub(crate) struct DeleteArguments {
    /// The alias, `alias/NAME`.
    #[arg(value_name = "ALIAS")]
    pub(crate) alias: String,
    /// Only if it has this revision [default: the present one].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) revision: Option<u64>,
}
