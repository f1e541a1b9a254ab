//! `ward cluster …`.

use clap::Subcommand;

/// What to ask of the cluster.
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterVerb {
    /// Show leader, nodes and gateways.
    Status,
}
