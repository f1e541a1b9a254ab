//! `ward policy …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use kms_client::identity::Role;

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyVerb {
    /// Write or replace a policy; it is in force from the answer on.
    ///
    /// It is added to the built-in ones: nothing is permitted that no policy permits, and a
    /// `forbid` wins. A file that holds none takes back what its predecessor permitted.
    Put(PutArguments),
    /// List the policies that were put.
    List,
    /// Show the text of one.
    Show(PolicyArguments),
    /// Show how a request would be decided, and by which policies; nothing is done.
    ///
    /// Neither who asks nor what is asked about need exist.
    ///
    /// ward policy why app:portal UnwrapDataKey --key device/mon-1 --context ward:device=mon-1
    Why(WhyArguments),
    /// Try decisions that are written down, and fail when one is another.
    ///
    /// [[case]]
    /// as = "app:portal"
    /// action = "UnwrapDataKey"
    /// key = "device/mon-1"            # or device = "mon-1", or neither: the cluster
    /// context = { "ward:device" = "mon-1" }
    /// allowed = true
    #[command(verbatim_doc_comment)]
    Test(TestArguments),
    /// Show what policies can speak about: identities, actions, resources, context.
    Schema,
    /// Show the policies that are always in force.
    BuiltIn,
}

/// Which file.
#[derive(Args, Debug)]
pub(crate) struct PutArguments {
    /// Cedar: policies, each with an @id.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// What the cluster calls it: 1 to 64 of a-z 0-9 - . _ [default: the file's name up to its
    /// last dot].
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
}

/// Which policy.
#[derive(Args, Debug)]
pub(crate) struct PolicyArguments {
    /// Its id, as `ward policy list` shows it.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
}

/// What somebody might ask for.
#[derive(Args, Debug)]
pub(crate) struct WhyArguments {
    /// Who would ask: `app:portal`, `operator:alice`, `gateway:edge-1`, `device:mon-1`, `node:1`.
    #[arg(value_name = "ROLE:ID")]
    pub(crate) identity: Asker,
    /// What for, as policies name it: `Decrypt`.
    #[arg(value_name = "ACTION")]
    pub(crate) action: String,
    /// On this key, by its name or an alias [default: on the cluster].
    #[arg(long, value_name = "NAME", conflicts_with = "device")]
    pub(crate) key: Option<String>,
    /// On this device.
    #[arg(long, value_name = "ID")]
    pub(crate) device: Option<String>,
    /// A pair of the encryption context, those that begin with `ward:` too; repeatable.
    #[arg(long, value_name = "K=V", value_parser = pair)]
    pub(crate) context: Vec<(String, String)>,
    /// How many data keys.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) count: u32,
    /// For CreateJoinToken: the role of the identity invited.
    #[arg(long, value_name = "ROLE")]
    pub(crate) invites: Option<Role>,
    #[command(flatten)]
    pub(crate) draft: DraftArguments,
}

/// Which decisions.
#[derive(Args, Debug)]
pub(crate) struct TestArguments {
    /// Cases in TOML.
    #[arg(value_name = "FILE")]
    pub(crate) cases: PathBuf,
    #[command(flatten)]
    pub(crate) draft: DraftArguments,
}

/// A policy that is tried.
#[derive(Args, Debug)]
pub(crate) struct DraftArguments {
    /// Decide as if this policy had been put.
    #[arg(long, value_name = "FILE")]
    pub(crate) draft: Option<PathBuf>,
    /// The id it would have [default: the file's name up to its last dot].
    #[arg(long, value_name = "ID", requires = "draft")]
    pub(crate) draft_id: Option<String>,
}

/// Who asks, as it is typed: `app:portal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asker {
    pub(crate) role: Role,
    pub(crate) id: String,
}

impl std::str::FromStr for Asker {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((role, id)) = text.split_once(':') else {
            return Err("write it as ROLE:ID, such as app:portal".to_owned());
        };
        Ok(Self {
            role: role.parse().map_err(|error| format!("{error}"))?,
            id: id.to_owned(),
        })
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=');
    let (key, value) = pair.ok_or("write it as K=V")?;
    Ok((key.to_owned(), value.to_owned()))
}
