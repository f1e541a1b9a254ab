//! `ward key census` and `ward key rewrap`.

use clap::Args;

/// Whose census.
#[derive(Args, Debug)]
pub(crate) struct CensusArguments {
    /// The key's name, or an alias; a device's key is `device/ID` [default: all keys].
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// Which key's archived data keys to move.
#[derive(Args, Debug)]
pub(crate) struct RewrapArguments {
    /// The key's name, or an alias; a device's key is `device/ID`.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// At most so many data keys a second at each gateway [default: 500, or that of the job that
    /// runs].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: Option<u32>,
    /// Show how far it is until it has ended. Ctrl-C ends the showing, not the job.
    #[arg(long)]
    pub(crate) watch: bool,
    /// Start nothing; show how far the last job is.
    #[arg(long, conflicts_with = "rate")]
    pub(crate) status: bool,
    /// End the job that runs. What was moved stays where it is.
    #[arg(long, conflicts_with_all = ["rate", "watch", "status"])]
    pub(crate) cancel: bool,
}
