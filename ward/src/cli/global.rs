//! The options that every verb takes, before or after its name.

use std::path::PathBuf;

use clap::Args;
use clap::builder::TypedValueParser;

use crate::output::Format;

/// Where the cluster is, whom to ask, how to answer.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// The data directory of `ward up`, or the folder of a node, a gateway or another identity.
    #[arg(
        long,
        global = true,
        env = "WARD_HOME",
        value_name = "DIR",
        default_value = DATA_DIR,
        value_parser = clap::builder::OsStringValueParser::new().map(PathBuf::from)
    )]
    pub(crate) data_dir: PathBuf,
    /// Whether that was typed, and is not a default or from the environment.
    #[arg(skip)]
    pub(crate) data_dir_typed: bool,
    /// The archive's folder, where it is not in the data directory.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) archive_dir: Option<PathBuf>,
    /// Ask this node only (the N of node-N); it serves or forwards.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) node: Option<u64>,
    /// How data is written [default: text; `archive list` and `archive gaps`: json].
    #[arg(long, global = true, value_name = "FORMAT", value_enum)]
    pub(crate) output: Option<Format>,
}

/// Where the cluster is when nobody says so.
pub(crate) const DATA_DIR: &str = "./ward-data";

impl Global {
    /// The data directory that was typed.
    pub(crate) fn asked_for(&self) -> Option<PathBuf> {
        self.data_dir_typed.then(|| self.data_dir.clone())
    }

    /// The format for verbs whose answer is first for people.
    pub(crate) fn format(&self) -> Format {
        self.output.unwrap_or(Format::Text)
    }

    /// The format for verbs whose answer is first for programs.
    pub(crate) fn format_of_lists(&self) -> Format {
        self.output.unwrap_or(Format::Json)
    }
}
