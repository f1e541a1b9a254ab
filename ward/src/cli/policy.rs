//! `ward policy …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

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
