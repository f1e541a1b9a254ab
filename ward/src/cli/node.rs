//! `ward node …`: one process when settings are given, an operator verb otherwise.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};

use super::ServeArguments;

/// What to do about nodes.
#[derive(Debug)]
pub(crate) enum NodeArguments {
    /// Run one.
    Serve(ServeArguments),
    /// Do something with the cluster's members.
    Verb(NodeVerb),
}

/// What to do with the cluster's members.
#[derive(Debug, Subcommand)]
pub(crate) enum NodeVerb {
    /// Take a node out of the cluster for good: its vote, its identity, its member id.
    Remove(RemoveArguments),
}

/// Which node.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct RemoveArguments {
    /// The N of node-N in `ward cluster status`.
    #[arg(value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) number: Option<u64>,
    /// Its member id, `node_id` of the status, for one that has no name any more.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) member: Option<u64>,
}

// By hand: derived, the settings would be demanded of the verbs too.
impl Args for NodeArguments {
    fn augment_args(command: Command) -> Command {
        let serve = ServeArguments::augment_args(command);
        NodeVerb::augment_subcommands(serve)
            .subcommand_required(false)
            .arg_required_else_help(false)
            .subcommand_negates_reqs(true)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for NodeArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        if matches.subcommand_name().is_none() {
            return ServeArguments::from_arg_matches(matches).map(Self::Serve);
        }
        if matches.value_source("config") == Some(ValueSource::CommandLine) {
            let problem = "--config runs a node; leave it out to change the cluster's members\n";
            return Err(clap::Error::raw(ErrorKind::ArgumentConflict, problem));
        }
        NodeVerb::from_arg_matches(matches).map(Self::Verb)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
