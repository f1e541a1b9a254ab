//! `ward policy …`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use kms_client::identity::Role;

use super::duration;

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyVerb {
    /// Write or replace a policy; it is in force from the answer on.
    ///
    /// It is added to the built-in ones: nothing is permitted that no policy permits, and a
    /// `forbid` wins. A file that holds none takes back what its predecessor permitted.
    Put(PutArguments),
    /// Take one out of force.
    Delete(PolicyArguments),
    /// Permit something for a time: puts a policy that ends by itself.
    ///
    /// ward policy grant app:portal --action UnwrapDataKey --key device/mon-1 --for 8h
    Grant(GrantArguments),
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
    /// It ends by itself after 90s, 5m, 8h or 2d, at most 366d [default: never].
    #[arg(long = "for", value_name = "TIME", value_parser = life)]
    pub(crate) life: Option<Duration>,
}

/// Who may do what, and for how long.
#[derive(Args, Debug)]
pub(crate) struct GrantArguments {
    /// Who may: `app:portal`, `operator:alice`.
    #[arg(value_name = "ROLE:ID")]
    pub(crate) to: Asker,
    /// What, as policies name it, such as Decrypt; repeatable.
    #[arg(long, value_name = "ACTION", required = true)]
    pub(crate) action: Vec<String>,
    /// On this key alone, by its own name [default: on everything].
    #[arg(long, value_name = "NAME")]
    pub(crate) key: Option<String>,
    /// Only under this pair of the encryption context; repeatable.
    #[arg(long, value_name = "K=V", value_parser = pair)]
    pub(crate) context: Vec<(String, String)>,
    /// For so long: 90s, 5m, 8h or 2d, at most 366d.
    #[arg(long = "for", value_name = "TIME", value_parser = life)]
    pub(crate) life: Duration,
    /// What the cluster calls the policy [default: grant-ROLE-ID]; it replaces one of this id.
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
    /// As if a second operator had approved it.
    #[arg(long)]
    pub(crate) approved: bool,
    /// At this moment, such as 2026-12-24T18:00:00Z [default: now].
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<Moment>,
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

/// A moment as it is typed, in milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) u64);

impl std::str::FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || "write it as 2026-12-24T18:00:00Z, or with an offset".to_owned();
        let moment: jiff::Timestamp = text.parse().map_err(|_| unknown())?;
        let moment = u64::try_from(moment.as_millisecond());
        moment.map(Self).map_err(|_| unknown())
    }
}

fn life(text: &str) -> Result<Duration, String> {
    let longest = Duration::from_secs(366 * 24 * 60 * 60);
    duration::read(text, "smhd", longest).ok_or_else(|| {
        "write a whole number and a unit, such as 8h: s, m, h or d, at most 366d".to_owned()
    })
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=');
    let (key, value) = pair.ok_or("write it as K=V")?;
    Ok((key.to_owned(), value.to_owned()))
}
