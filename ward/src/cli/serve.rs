//! `ward node` and `ward gateway`: the processes that `ward up`, or a service manager, starts.

use std::path::PathBuf;

use clap::Args;

/// What to look at.
#[derive(Args, Debug)]
pub(crate) struct DoctorArguments {
    /// Also check these settings, a node.toml or gateway.toml, and look at the disk they are on.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// How to run one process.
#[derive(Args, Debug)]
pub(crate) struct ServeArguments {
    /// Its settings: node.toml or gateway.toml.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Say everything that keeps it from running, and exit: 0 when nothing does.
    #[arg(long)]
    pub(crate) check: bool,
    /// Stop at the end of standard input; ignore SIGINT and SIGTERM.
    #[arg(long)]
    pub(crate) supervised: bool,
    /// What to log: a level, or directives such as `info,kms_server=debug`.
    #[arg(long, value_name = "FILTER", env = "WARD_LOG", default_value = sys::log::FILTER)]
    pub(crate) log: String,
}
