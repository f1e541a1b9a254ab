//! `ward audit …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::sha256::Sha256;

/// What to do with the audit logs.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditVerb {
    /// Show the newest records of every node, or of --node.
    Tail(TailArguments),
    /// Check every node's log: chain, signatures, anchors; also with `ward up` stopped.
    Verify(VerifyArguments),
    /// Write everything that an auditor needs into one file.
    Export(ExportArguments),
}

/// How much.
#[derive(Args, Debug)]
pub(crate) struct TailArguments {
    /// Go on with what is recorded from now on, until Ctrl-C.
    #[arg(long)]
    pub(crate) follow: bool,
    /// How many records of each node.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) lines: usize,
}

/// Which logs.
#[derive(Args, Debug)]
pub(crate) struct VerifyArguments {
    /// Check the files of this node's data directory, not what nodes answer. May be repeated.
    #[arg(long, value_name = "DIR", conflicts_with = "export")]
    pub(crate) files: Vec<PathBuf>,
    /// Check an export.
    #[arg(long, value_name = "FILE")]
    pub(crate) export: Option<PathBuf>,
    /// Demand what this copy of a node's anchors.json tells too. May be repeated. Whoever makes up
    /// an export makes up its anchors; those that were copied before, or from elsewhere, are not.
    #[arg(long, value_name = "FILE")]
    pub(crate) anchors: Vec<PathBuf>,
    /// Trust this authority alone: SHA-256 of its public key, hex [default: that of the
    /// identity in the data directory, or what the evidence itself names].
    #[arg(long, value_name = "HEX")]
    pub(crate) ca_sha256: Option<Sha256>,
}

/// Where to.
#[derive(Args, Debug)]
pub(crate) struct ExportArguments {
    /// The file to write, or `-` for standard output.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Export the files of this node's data directory, not what nodes answer. May be repeated.
    #[arg(long, value_name = "DIR")]
    pub(crate) files: Vec<PathBuf>,
}
