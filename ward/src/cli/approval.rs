//! `ward approve` and `ward approval …`.

use std::str::FromStr;

use clap::{Args, Subcommand};

/// Which request, and whether to ask back.
#[derive(Args, Debug)]
pub(crate) struct ApproveArguments {
    #[command(flatten)]
    pub(crate) which: ApprovalArguments,
    /// Approve without asking back: for scripts, which have looked with `ward approval show`.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// What to do with approvals.
#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalVerb {
    /// List what waits for a second operator, and what is approved and not done yet.
    List,
    /// Show one, with the whole request.
    Show(ApprovalArguments),
    /// End one, whether or not it was approved.
    Reject(ApprovalArguments),
}

/// Which request.
#[derive(Args, Debug)]
pub(crate) struct ApprovalArguments {
    /// Its id, or the first 4 digits of it or more.
    #[arg(value_name = "ID")]
    pub(crate) id: ApprovalPrefix,
}

/// An id or its beginning, in lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApprovalPrefix(pub(crate) String);

impl FromStr for ApprovalPrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match digits && (4..=32).contains(&text.len()) {
            true => Ok(Self(text.to_ascii_lowercase())),
            false => Err("an id has 32 digits of 0-9 a-f; write at least the first 4".to_owned()),
        }
    }
}
